"""The decision log over what the functions really store: proved, replayed, and every tampering named."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.tables import EVENTS, LEDGER, PLANS, SESSIONS
from mlops.decisions import OPERATIONS
from mlops.errors import FaultError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.ledger import plan_scope
from mlops.replay.replay import Replay
from tests.mlops.aws.embedded import Clock
from workbench.decisions import DecisionLog
from workbench.proofs import verify_file


def update(aws: Aws, table: str, key: dict[str, Any], field: str, value: Any) -> None:
    """As somebody with access to the table would."""
    aws.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #f = :v",
        ExpressionAttributeNames={"#f": field},
        ExpressionAttributeValues={":v": value},
    )


def changed(found: Replay) -> set[str]:
    return {difference.what.split()[0] for difference in found.differences}


def test_a_run_is_replayed_without_a_difference(decided: DecisionLog, plan_id: str):
    found = decided.replay("s1")
    assert found.differences == ()
    assert found.checked["plans"] == 3
    assert {"moves", "reports", "bookings"} <= found.checked.keys()
    assert found.rules_then == (found.rules_now,)


def test_bookings_jobs_and_the_report_are_decisions(decided: DecisionLog, plan_id: str):
    told = [(d.who, d.what.split()[0]) for d in decided.show("s1")]
    assert ("ledger", "reserve") in told
    assert ("ledger", "settle") in told
    assert ("ada", "approved") in told
    assert told[-1] == ("rules", "reported")
    assert [d.who for d in decided.show("s1", EventKind.APPROVAL)] == ["ada"]


def test_a_tampered_plan_is_found(decided: DecisionLog, aws: Aws, plan_id: str):
    plan = Plans(aws).get(plan_id)
    body = plan.model_copy(update={"ceiling_usd": "99.00"}).model_dump_json()
    update(aws, PLANS, {"plan_id": plan_id, "part": "PLAN"}, "body", body)
    [difference] = decided.replay("s1").differences
    assert (difference.path, difference.stored) == ("ceiling_usd", plan.ceiling_usd)
    assert difference.replayed == "99.00"


def test_tampered_inputs_are_found(decided: DecisionLog, aws: Aws, plan_id: str):
    update(aws, PLANS, {"plan_id": plan_id, "part": "INPUTS"}, "body", b"other")
    assert changed(decided.replay("s1")) == {"inputs"}


def test_a_tampered_ledger_is_found(decided: DecisionLog, aws: Aws, plan_id: str):
    key = {"scope": plan_scope(plan_id), "entry": "TOTAL"}
    update(aws, LEDGER, key, "spent", 1)
    assert "ledger" in changed(decided.replay("s1"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("turn", "t9"), ("data", "{}"), ("at", "2020-01-01T00:00:00+00:00"), ("kind", "done")],
)
def test_an_altered_event_is_found(
    decided: DecisionLog, aws: Aws, plan_id: str, field: str, value: str
):
    update(aws, EVENTS, {"session_id": "s1", "seq": 2}, field, value)
    flaw = decided.verify("s1").flaw
    assert flaw is not None and flaw.seq == 2
    with pytest.raises(RefusedError, match="event 2"):
        decided.replay("s1")


def test_an_event_that_cannot_be_read_is_named(decided: DecisionLog, aws: Aws, plan_id: str):
    update(aws, EVENTS, {"session_id": "s1", "seq": 2}, "data", "no JSON")
    with pytest.raises(FaultError, match="Event 2"):
        decided.verify("s1")


def test_missing_and_cut_off_events_are_found(decided: DecisionLog, aws: Aws, plan_id: str):
    last = decided.verify("s1").events
    for seq in (last, 3):
        aws.dynamodb.delete_item(TableName=EVENTS, Key={"session_id": "s1", "seq": seq})
        flaw = decided.verify("s1").flaw
        assert flaw is not None and flaw.seq == seq
        assert "missing" in flaw.why


def test_events_that_nobody_wrote_are_found(decided: DecisionLog, aws: Aws, plan_id: str):
    last = decided.verify("s1").events
    key = {"session_id": "s1", "seq": last}
    item = aws.dynamodb.get_item(TableName=EVENTS, Key=key)["Item"]
    aws.dynamodb.put_item(TableName=EVENTS, Item={**item, "seq": last + 1})
    flaw = decided.verify("s1").flaw
    assert flaw is not None and flaw.seq == last + 1


def test_another_head_is_found(decided: DecisionLog, aws: Aws, plan_id: str):
    update(aws, SESSIONS, {"session_id": "s1"}, "hash", "0" * 64)
    assert decided.verify("s1").flaw is not None


def test_an_export_proves_itself_anywhere(decided: DecisionLog, plan_id: str, tmp_path: Path):
    file = tmp_path / "s1.jsonl"
    text = decided.export("s1")
    file.write_text(text, "utf-8")
    assert verify_file(file) == decided.verify("s1")
    lines = text.splitlines()
    file.write_text("\n".join(lines[:-1]), "utf-8")
    flaw = verify_file(file).flaw
    assert flaw is not None and flaw.seq == json.loads(lines[-1])["seq"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"{}"])
def test_what_is_no_export(content: bytes | None, tmp_path: Path):
    file = tmp_path / "x"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RequestError):
        verify_file(file)


def test_only_the_owner_reads_it(aws: Aws, clock: Clock, plan_id: str):
    other = Aws(aws.settings.model_copy(update={"person": "eve"}), aws.session)
    stranger = DecisionLog(other, clock)
    for read in (stranger.show, stranger.verify, stranger.export, stranger.replay):
        with pytest.raises(RefusedError, match="somebody else"):
            read("s1")


def test_an_unknown_session_and_the_operations_log(decided: DecisionLog, aws: Aws, clock: Clock):
    with pytest.raises(RequestError, match="no decision log"):
        decided.show("nothing")
    data = {"text": "stopped it", "repair": "orphan_stopped"}
    EventLog(aws, clock).append(OPERATIONS, "watchdog", EventKind.THINKING, data)
    assert [d.who for d in decided.show(OPERATIONS)] == ["watchdog"]
