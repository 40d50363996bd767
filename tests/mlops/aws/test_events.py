"""The log under races: gapless, verified, once is once, and a tail misses nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import repeat

import pytest

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.sessions import Sessions
from mlops.aws.tables import EVENTS
from mlops.errors import FaultError
from mlops.events import CUT, EventKind, Head, verify
from tests.mlops.aws.embedded import Clock, Embedded


@pytest.fixture
def log(aws: Aws, clock: Clock) -> EventLog:
    return EventLog(aws, clock)


def test_events_are_numbered_and_read_back(log: EventLog):
    for text in ("one", "two", "drei 😀 \u2028", "\ud83d"):
        log.append("s", "t", EventKind.USER, {"text": text, "n": 1.5, "deep": [{"a": None}]})
    events = log.tail("s")
    assert [e.seq for e in events] == [1, 2, 3, 4]
    assert [e.data["text"] for e in events][:3] == ["one", "two", "drei 😀 \u2028"]
    assert events[0].data["deep"] == [{"a": None}]
    assert verify(events) is None
    assert log.head("s") == Head(seq=4, hash=events[-1].hash)
    assert [e.seq for e in log.tail("s", after=2)] == [3, 4]


def test_a_session_without_events(log: EventLog):
    assert log.tail("nobody") == []
    assert log.head("nobody") == Head()


def test_eight_threads_on_two_logs_leave_no_gap(embedded: Embedded, clock: Clock):
    logs = [EventLog(embedded.connect(), clock) for _ in range(2)]

    def write(worker: int) -> None:
        for n in range(6):
            logs[worker % 2].append("s", f"t{worker}", EventKind.STEP, {"n": n})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    events = logs[0].tail("s")
    assert [e.seq for e in events] == [*range(1, 49)]
    assert verify(events) is None
    for worker in range(8):
        mine = [e.data["n"] for e in events if e.turn == f"t{worker}"]
        assert mine == [*range(6)]


def test_once_is_once_whoever_is_first(embedded: Embedded, clock: Clock):
    logs = [EventLog(embedded.connect(), clock) for _ in range(2)]

    def write(worker: int) -> bool:
        data = {"worker": worker}
        return bool(logs[worker % 2].append("s", "t", EventKind.REPORT, data, once="report#p"))

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(16)))
    assert sum(written) == 1
    assert len(logs[0].tail("s")) == 1


def test_once_is_by_key_and_session(log: EventLog):
    assert log.append("s", "t", EventKind.COST, {}, once="a")
    assert log.append("s", "t", EventKind.COST, {}, once="b")
    assert log.append("other", "t", EventKind.COST, {}, once="a")
    assert log.append("s", "t", EventKind.COST, {}, once="a") is None
    assert log.append("s", "t", EventKind.COST, {}) is not None
    assert [e.seq for e in log.tail("s")] == [1, 2, 3]


def test_a_tail_goes_beyond_a_page_of_one_megabyte(log: EventLog):
    for n in range(6):
        log.append("s", "t", EventKind.TOOL_RESULT, {"n": n, "text": "x" * 300_000})
    assert [e.data["n"] for e in log.tail("s")] == [*range(6)]
    assert [e.data["n"] for e in log.tail("s", after=4)] == [4, 5]


@pytest.mark.parametrize("letter", ["x", "ä", "漢", "😀", "\ud83d", '"', "\n"])
def test_an_event_that_is_too_large_is_cut_and_says_so(log: EventLog, letter: str):
    """What is stored is what the chain covers, however many bytes a character has."""
    rows = [letter * 900 for _ in range(2_000)]
    written = log.append("s", "t", EventKind.TOOL_RESULT, {"ok": True, "result": {"rows": rows}})
    log.append("s", "t", EventKind.DONE, {})
    events = log.tail("s")
    kept = events[0].data["result"]["rows"]
    assert kept == rows[: len(kept)] and len(kept) >= 50
    assert events[0].data["ok"] and "lists" in events[0].data[CUT]
    assert written is not None and written.data == events[0].data
    assert verify(events) is None


def test_a_long_text_is_cut_and_so_is_what_has_no_end_of_fields(log: EventLog):
    log.append("s", "t", EventKind.ANSWER, {"text": "漢" * 200_000})
    log.append(
        "s", "t", EventKind.TOOL_RESULT, {"ok": True, "result": {str(n): n for n in range(50_000)}}
    )
    answer, result = log.tail("s")
    assert len(answer.data["text"]) > 10_000 and answer.data["text"].endswith("…")
    assert result.data["ok"] and "result" in result.data[CUT] and "result" not in result.data


def test_what_just_fits_is_stored_as_it_is(log: EventLog):
    """As JSON these would be six bytes each if they were escaped."""
    text = "ä" * 190_000
    log.append("s", "t", EventKind.ANSWER, {"text": text})
    assert log.tail("s")[0].data == {"text": text}


def test_a_report_stays_one_document(log: EventLog):
    """It is read whole, by its fields: a note would be one too many."""
    log.append("s", "t", EventKind.REPORT, {"next_steps": ["x" * 500] * 3_000})
    assert log.tail("s")[0].data.keys() == {"next_steps"}


def test_a_log_that_stays_busy_is_a_fault(aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    log = EventLog(aws, clock, lambda _: None)
    log.append("s", "t", EventKind.USER, {})
    monkeypatch.setattr(log, "head", lambda _: Head(seq=7, hash="7" * 64))
    log._heads.clear()
    with pytest.raises(FaultError) as caught:
        log.append("s", "t", EventKind.USER, {})
    assert caught.value.code == "log_busy"


def test_a_stale_head_is_caught_up_with(embedded: Embedded, clock: Clock):
    first, second = (EventLog(embedded.connect(), clock, lambda _: None) for _ in range(2))
    for log in (first, second, first, second):
        assert log.append("s", "t", EventKind.STEP, {})
    assert verify(first.tail("s")) is None


def test_a_claimed_session_keeps_its_chain(aws: Aws, log: EventLog, clock: Clock):
    """Conversation and chain share one item."""
    log.append("s", "t", EventKind.USER, {})
    assert Sessions(aws).claim("s", "ada", "t", "hello", "hello", "me", clock())
    log.append("s", "t", EventKind.DONE, {})
    assert verify(log.tail("s")) is None
    session = Sessions(aws).get("s")
    assert session is not None and session.title == "hello"


def test_tampering_in_the_table_is_found(aws: Aws, log: EventLog):
    for n in range(3):
        log.append("s", "t", EventKind.COST, {"spent_usd": f"{n}.00"})
    aws.dynamodb.update_item(
        TableName=EVENTS,
        Key={"session_id": "s", "seq": 2},
        UpdateExpression="SET #d = :d",
        ExpressionAttributeNames={"#d": "data"},
        ExpressionAttributeValues={":d": '{"spent_usd": "0.00"}'},
    )
    assert verify(log.tail("s")) == 2


def test_streamed_text_is_beside_the_chain_and_expires(aws: Aws, log: EventLog, clock: Clock):
    log.append("s", "t", EventKind.USER, {})
    for seq, text in enumerate(["Hel", "lo"], start=1):
        log.append_tokens("s", "t", seq, text)
    tokens = log.tail_tokens("s")
    assert [(e.session, e.seq, e.data["text"]) for e in tokens] == [
        ("s", 1, "Hel"),
        ("s", 2, "lo"),
    ]
    assert [e.data["text"] for e in log.tail_tokens("s", after=1)] == ["lo"]
    assert verify(log.tail("s")) is None and len(log.tail("s")) == 1
    key = {"session_id": "s#tokens", "seq": 1}
    item = aws.dynamodb.get_item(TableName=EVENTS, Key=key)["Item"]
    assert item["ttl"] == int((clock() + timedelta(days=1)).timestamp())


def test_sessions_do_not_mix(log: EventLog):
    for session in ("a", "b", "a"):
        log.append(session, "t", EventKind.STEP, {"of": session})
    assert [e.data["of"] for e in log.tail("a")] == [*repeat("a", 2)]
    assert [e.seq for e in log.tail("b")] == [1]
