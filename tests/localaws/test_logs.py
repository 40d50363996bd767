"""Logs: writing, following a stream by tokens, searching by terms."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.errors import AwsError
from localaws.log_pattern import LogPattern, parse_pattern

GROUP = "/aws/test"
NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def logs(local: Any) -> Any:
    client = local.client("logs")
    client.create_log_group(logGroupName=GROUP)
    return client


@pytest.fixture
def stream(logs: Any, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("[", "-").replace("]", "")
    logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    return name


def put(logs: Any, stream: str, *lines: str, start: int = 0) -> None:
    events = [{"timestamp": NOW + start + n, "message": line} for n, line in enumerate(lines)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def get(logs: Any, stream: str, **more: Any) -> tuple[list[str], dict[str, Any]]:
    answer = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, **more)
    return [event["message"] for event in answer["events"]], answer


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value)


def test_a_reader_follows_a_stream(logs: Any, stream: str):
    lines, answer = get(logs, stream)
    assert lines == []
    put(logs, stream, "one", "two")
    lines, answer = get(logs, stream, nextToken=answer["nextForwardToken"])
    assert lines == ["one", "two"]
    lines, again = get(logs, stream, nextToken=answer["nextForwardToken"])
    assert (lines, again["nextForwardToken"]) == ([], answer["nextForwardToken"])
    put(logs, stream, "three", start=2)
    assert get(logs, stream, nextToken=again["nextForwardToken"])[0] == ["three"]


def test_tail_head_and_backwards(logs: Any, stream: str):
    put(logs, stream, *[str(n) for n in range(10)])
    assert get(logs, stream, limit=3, startFromHead=True)[0] == ["0", "1", "2"]
    lines, answer = get(logs, stream, limit=3)
    assert lines == ["7", "8", "9"]
    lines, answer = get(logs, stream, limit=3, nextToken=answer["nextBackwardToken"])
    assert lines == ["4", "5", "6"]
    assert get(logs, stream, limit=2, nextToken=answer["nextForwardToken"])[0] == ["7", "8"]
    assert get(logs, stream, startTime=NOW + 8)[0] == ["8", "9"]
    assert get(logs, stream, endTime=NOW + 2)[0] == ["0", "1"]


def test_events_of_one_millisecond_keep_their_order(logs: Any, local: Any, stream: str):
    local.service("logs").append(GROUP, stream, [(NOW, str(n)) for n in range(50)])
    seen, answer = get(logs, stream, limit=7, startFromHead=True)
    while True:
        lines, answer = get(logs, stream, limit=7, nextToken=answer["nextForwardToken"])
        if not lines:
            break
        seen += lines
    assert seen == [str(n) for n in range(50)]


def test_pages_stay_below_a_megabyte(logs: Any, stream: str):
    put(logs, stream, *["x" * 200_000] * 4)
    put(logs, stream, *["y" * 200_000] * 4, start=4)
    assert len(get(logs, stream, startFromHead=True)[0]) == 5


def test_groups_and_streams_are_described(logs: Any, local: Any):
    local.service("logs").append("/made/here", "b", [(NOW, "x"), (NOW + 5, "y")])
    local.service("logs").append("/made/here", "a", [(NOW + 9, "z")])
    found = logs.describe_log_groups(logGroupNamePrefix="/made")["logGroups"]
    assert [group["logGroupName"] for group in found] == ["/made/here"]
    streams = logs.describe_log_streams(logGroupName="/made/here")["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["a", "b"]
    assert (streams[1]["firstEventTimestamp"], streams[1]["lastEventTimestamp"]) == (NOW, NOW + 5)
    newest = logs.describe_log_streams(
        logGroupName="/made/here", orderBy="LastEventTime", descending=True, limit=1
    )
    assert newest["logStreams"][0]["logStreamName"] == "a"
    rest = logs.describe_log_streams(
        logGroupName="/made/here",
        orderBy="LastEventTime",
        descending=True,
        nextToken=newest["nextToken"],
    )
    assert [s["logStreamName"] for s in rest["logStreams"]] == ["b"]
    only = logs.describe_log_streams(logGroupName="/made/here", logStreamNamePrefix="b")
    assert [s["logStreamName"] for s in only["logStreams"]] == ["b"]
    logs.put_retention_policy(logGroupName="/made/here", retentionInDays=7)
    logs.delete_log_group(logGroupName="/made/here")
    assert logs.describe_log_groups(logGroupNamePrefix="/made")["logGroups"] == []


def test_searching_pages_through_streams_in_time_order(logs: Any, local: Any):
    local.service("logs").append("/search", "one", [(NOW, "error a"), (NOW + 2, "fine")])
    local.service("logs").append("/search", "two", [(NOW + 1, "error b"), (NOW + 3, "error c")])

    def found(**more: Any) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName="/search", PaginationConfig={"PageSize": 1}, **more
        )
        return [event["message"] for page in pages for event in page["events"]]

    assert found() == ["error a", "error b", "fine", "error c"]
    assert found(filterPattern="error") == ["error a", "error b", "error c"]
    assert found(filterPattern="error", logStreamNames=["two"]) == ["error b", "error c"]
    assert found(logStreamNamePrefix="on") == ["error a", "fine"]
    assert found(startTime=NOW + 1, endTime=NOW + 3) == ["error b", "fine"]
    event = logs.filter_log_events(logGroupName="/search", limit=1)["events"][0]
    assert (event["logStreamName"], event["timestamp"]) == ("one", NOW)
    assert "does not exist" in refused(
        logs.filter_log_events, logGroupName="/search", logStreamNames=["three"]
    )


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("", ["a b", "b c", 'say "hi"']),
        ("b", ["a b", "b c"]),
        ("a b", ["a b"]),
        ('"b c"', ["b c"]),
        ("?a ?c", ["a b", "b c", 'say "hi"']),
        ("b -c", ["a b"]),
        (r'"\"hi\""', ['say "hi"']),
        ("B", []),
    ],
)
def test_patterns(pattern: str, matching: list[str]):
    lines = ["a b", "b c", 'say "hi"']
    assert [line for line in lines if LogPattern(pattern).matches(line)] == matching


@pytest.mark.parametrize("pattern", ["{ $.a ~ 1 }", "[a, b]", "%x+%", '"open'])
def test_patterns_that_are_not_here_are_refused(pattern: str):
    with pytest.raises(AwsError):
        parse_pattern(pattern)


def test_what_is_refused(logs: Any, stream: str):
    here = {"logGroupName": GROUP, "logStreamName": stream}
    absent = {"logGroupName": GROUP, "logStreamName": "absent"}
    assert "ResourceAlreadyExists" in refused(logs.create_log_group, logGroupName=GROUP)
    assert "ResourceAlreadyExists" in refused(logs.create_log_stream, **here)
    assert "log group does not exist" in refused(
        logs.create_log_stream, logGroupName="no", logStreamName="s"
    )
    assert "log stream does not exist" in refused(logs.get_log_events, **absent)
    event = {"timestamp": NOW, "message": "x"}
    assert "log stream does not exist" in refused(logs.put_log_events, **absent, logEvents=[event])
    earlier = {"timestamp": NOW - 1, "message": "y"}
    assert "chronological" in refused(logs.put_log_events, **here, logEvents=[event, earlier])
    assert "nextToken is invalid" in refused(logs.get_log_events, **here, nextToken="x")


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ('{ $.level = "ERROR" }', "a"),
        ("{ $.level = ERR* }", "a"),
        ("{ $.ms > 100 }", "b"),
        ("{ $.ms <= 1e2 && $.level != INFO }", "a"),
        ("{ ($.ms = 5 || $.ms = 200) && $.user.id = 7 }", "b"),
        ("{ $.user IS NULL }", "a"),
        ("{ $.ok IS TRUE }", "b"),
        ("{ $.user.id NOT EXISTS }", "ac"),
        ('{ $.list[1] = "y" }', "c"),
        ("{ $.user.name EXISTS }", ""),
        ('{ $.ms = "5" }', ""),
    ],
)
def test_json_patterns(pattern: str, matching: str):
    lines = {
        "a": '{"level": "ERROR", "ms": 5, "user": null}',
        "b": '{"level": "INFO", "ms": 200, "ok": true, "user": {"id": 7}}',
        "c": '{"list": ["x", "y"]}',
        "d": "ERROR no JSON",
        "e": "[1]" if "NOT" not in pattern else "7",
    }
    parsed = parse_pattern(pattern)
    assert "".join(name for name, line in lines.items() if parsed.matches(line)) == matching


@pytest.mark.parametrize(
    "pattern", ["{", "{}", "{ $ = 1 }", "{ $.a }", "{ $.a < x }", "{ ($.a = 1 }"]
)
def test_broken_json_patterns_are_refused(pattern: str):
    with pytest.raises(AwsError):
        parse_pattern(pattern)


def test_deep_nesting_is_refused():
    with pytest.raises(AwsError):
        parse_pattern("{" + "(" * 900 + "$.a = 1" + ")" * 900 + "}")


def test_retention_removes_what_is_old(logs: Any, local: Any):
    group, now = "/aws/kept", int(local.clock() * 1000)
    days = [now - n * 86_400_000 for n in (10, 4, 0)]
    local.service("logs").append(group, "s", [(at, str(at)) for at in days])
    with pytest.raises(ClientError, match="retentionInDays"):
        logs.put_retention_policy(logGroupName=group, retentionInDays=2)
    logs.put_retention_policy(logGroupName=group, retentionInDays=5)
    local.service("logs").append(group, "s", [(now, "new")])
    kept = [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
    assert kept == [str(at) for at in days[1:]] + ["new"]
    logs.delete_retention_policy(logGroupName=group)
    assert (
        "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    )
