"""Bytes of a script to log lines and metric points."""

from typing import Any

import pytest

from localaws.job_output import GROUP, JobOutput


class Sink:
    def __init__(self):
        self.lines: list[str] = []
        self.points: list[tuple[str, float]] = []
        self.places: set[tuple[str, str]] = set()

    def append(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.places.add((group, stream.partition("-1-")[0]))
        self.lines += [line for _, line in events]

    def put(self, namespace: str, points: list[Any]) -> None:
        self.points += [(name, value) for name, _, value, _ in points]


@pytest.fixture
def sink() -> Sink:
    return Sink()


def output(sink: Sink) -> JobOutput:
    definitions = [
        {"Name": "loss", "Regex": r"\bloss=([0-9.eE+-]+)"},
        {"Name": "f1", "Regex": r"\bf1=(\S+)"},
    ]
    record = {"TrainingJobName": "j", "AlgorithmSpecification": {"MetricDefinitions": definitions}}
    return JobOutput(record, sink.append, sink.put)


def test_lines_are_whole_however_they_arrive(sink: Sink):
    out = output(sink)
    for part in (b"loss=1", b".5\nl", b"oss=2\r\n\n", "ü".encode()[:1], "ü".encode()[1:]):
        out.write(part)
    out.close()
    assert sink.lines == ["loss=1.5", "loss=2", "ü"]
    assert sink.points == [("loss", 1.5), ("loss", 2.0)]
    assert sink.places == {(GROUP, "j/algo")}


def test_last_value_of_each_metric_is_final(sink: Sink):
    out = output(sink)
    out.write(b"loss=3 f1=0.5\nloss=2\nf1=nan\nf1=none\nloss=1e-3\n")
    out.close()
    assert {m["MetricName"]: m["Value"] for m in out.final_metrics()} == {"loss": 0.001, "f1": 0.5}


def test_hostile_output_is_only_data(sink: Sink):
    out = output(sink)
    out.write(b"\xff\xfe<script>loss=1\n" + b"x" * 500_000 + b"loss=2\nend\n")
    out.close()
    assert sink.points == [("loss", 1.0)]
    assert sink.lines[-1] == "end"
    assert max(map(len, sink.lines)) <= 200_000


def test_an_endless_line_does_not_grow_in_memory(sink: Sink):
    out = output(sink)
    for _ in range(10):
        out.write(b"y" * 150_000)
    out.close()
    assert len(sink.lines) >= 5


def test_a_metric_whose_regex_never_ends_is_given_up_and_says_so(sink: Sink):
    definitions = [{"Name": "bad", "Regex": r"(a+)+$"}, {"Name": "loss", "Regex": r"loss=(\S+)"}]
    record = {"TrainingJobName": "j", "AlgorithmSpecification": {"MetricDefinitions": definitions}}
    out = JobOutput(record, sink.append, sink.put)
    out.write(b"a" * 100 + b"! loss=1\nloss=2\n")
    out.close()
    assert sink.points == [("loss", 1.0), ("loss", 2.0)]
    assert "the regex of bad takes too long" in sink.lines[-1]
