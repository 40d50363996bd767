"""What a payload may say, and what a stream's events add up to."""

from typing import Any

import pytest

from agent.runtime_frames import Outlook, read_payload
from mlops.errors import RequestError
from mlops.events import Event, EventKind
from tests.agent.fakes import NOW


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        None,
        "prompt",
        {"prompt": ""},
        {"prompt": 7},
        {"prompt": "x" * 20_001},
        {"prompt": "\ud800"},
        {"prompt": "Hello!", "approve": "plan-1"},
        {"prompt": "Hello!", "budget": 100},
        {"prompt": "Hello!", "session": "../../etc"},
        {"prompt": "Hello!", "session": "s" * 65},
        {"resume": {"after_seq": -1}, "session": "s"},
        {"resume": {"after_seq": "1"}, "session": "s"},
        {"resume": 3, "session": "s"},
    ],
)
def test_payloads_that_are_refused(payload: Any):
    with pytest.raises(RequestError) as raised:
        read_payload(payload, "s")
    assert raised.value.code == "bad_payload"


@pytest.mark.parametrize("session", ["operations", "health", "..", "../../etc", "s" * 65])
@pytest.mark.parametrize("asked", [{"prompt": "Hello!"}, {"resume": {"after_seq": 0}}])
def test_sessions_that_nobody_may_name(asked: dict[str, Any], session: str):
    for payload, header in (({**asked, "session": session}, None), (asked, session)):
        with pytest.raises(RequestError) as raised:
            read_payload(payload, header)
        assert raised.value.code == "bad_payload"


def test_the_jobs_of_one_plan_are_not_those_of_the_next():
    """Else a stream would wait for ever for the report of a plan whose launch failed."""
    outlook = Outlook()
    for plan_id in ("plan-1", "plan-2"):
        data = {"plan_id": plan_id, "status": "approved"}
        event = Event(session="s", seq=1, turn="t", kind=EventKind.APPROVAL, at=NOW, data=data)
        outlook.note(event)
        assert (outlook.running_plan, outlook.launched) == (plan_id, False)
        outlook.launched = True
