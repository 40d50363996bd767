"""The one reader of all watched logs: what is wrong with one of them stays with it."""

import itertools
from collections.abc import Iterator, Sequence

import pytest

from agent import runtime_tails
from agent.runtime_tails import Tails
from mlops.aws.clients import Aws
from mlops.aws.heads import SessionHead
from mlops.aws.tables import EVENTS
from mlops.errors import FaultError
from mlops.events import EventKind
from tests.agent.world import World, clock
from tests.patience import eventually


@pytest.fixture
def tails(world: World) -> Iterator[Tails]:
    made = Tails(world.aws, clock)
    yield made
    made.close()


def test_a_log_that_was_altered_holds_up_no_other(
    world: World, tails: Tails, monkeypatch: pytest.MonkeyPatch
):
    """Both are read in the same looks: the reader starts with the second."""
    monkeypatch.setattr("agent.runtime_watches._GIVE_UP_SECONDS", 0.0)
    good, altered = world.session, f"{world.session}-altered"
    for session in (good, altered):
        world.log.append(session, "turn-1", EventKind.ANSWER, {"text": "Yes."})
    _alter(world, altered)
    with monkeypatch.context() as patched:
        patched.setattr(Tails, "_start", lambda _: None)
        mine = tails.open(good, 0, 0)
    with mine, tails.open(altered, 0, 0) as broken:
        assert [event.data for event in mine.take(20.0)] == [{"text": "Yes."}]

        def fails() -> bool:
            assert mine.take(0.0) == []
            try:
                return bool(broken.take(0.0))
            except FaultError as error:
                return error.code == "bad_event"

        assert eventually(fails)
        assert mine.take(0.0) == []
        world.log.append(good, "turn-1", EventKind.ANSWER, {"text": "No."})
        assert [event.data for event in mine.take(20.0)] == [{"text": "No."}]


def test_a_fault_that_nobody_foresaw_leaves_the_reader_alive(
    world: World, tails: Tails, monkeypatch: pytest.MonkeyPatch
):
    read, looks = runtime_tails.read_heads, itertools.count()

    def fail_once(aws: Aws, sessions: Sequence[str]) -> dict[str, SessionHead]:
        if next(looks) == 0:
            raise ValueError("not one of ours")
        return read(aws, sessions)

    monkeypatch.setattr(runtime_tails, "read_heads", fail_once)
    with tails.open(world.session, 0, 0) as mine:
        world.log.append(world.session, "turn-1", EventKind.ANSWER, {"text": "Yes."})
        assert eventually(lambda: mine.take(1.0))[0].data == {"text": "Yes."}


def _alter(world: World, session: str) -> None:
    world.aws.dynamodb.update_item(
        TableName=EVENTS,
        Key={"session_id": session, "seq": 1},
        UpdateExpression="SET #d = :d",
        ExpressionAttributeNames={"#d": "data"},
        ExpressionAttributeValues={":d": "{"},
    )
