"""Ninety open SSE streams at a real `llmops serve`: how quickly it still answers, and what watching costs."""

import gc
import http.client
import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from benchmarks.back_end import BackEnd, free_port, server
from benchmarks.tables import Table, Target, duration, p50, p95, timed
from benchmarks.workload import utc_now
from mlops.aws.events import EventLog
from mlops.aws.sessions import Sessions
from mlops.events import EventKind

STREAMS, PINGS, EVENTS, WATCHED_SECONDS = 90, 200, 30, 10.0
SEED, LONGEST_PAUSE_SECONDS = 7, 0.5
PING_TARGET_SECONDS, DELAY_TARGET = 0.050, Target("p50", 0.150)
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


def measure(back: BackEnd) -> Iterator[Table]:
    port = free_port()
    command = ("benchmarks.agent_streams", str(port))
    # A look of this process's own collector at all of its modules would count as the server's time.
    gc.freeze()
    log, environ = back.home.parent / "serve.log", os.environ | {"LLMOPS_HOME": str(back.home)}
    with server(command, log, lambda: _answers(port), environ):
        rows = [_row("no stream", _samples(port))]
        watching = []
        for name, sessions in (("90 streams of 90 sessions", STREAMS), ("90 streams of one", 1)):
            with _watched(back, port, sessions) as streams:
                rows.append(_row(name, _samples(port)))
                watching.append(_watching(back, name, streams))
    yield Table(
        title=f"GET /ping while {STREAMS} SSE streams are open",
        columns=("streams", "n", "p50", "p95", "max", "target", "verdict"),
        rows=tuple(rows),
        notes=(
            "A turn runs in every watched session, so each stream is looked after as closely",
            "as it can be; the client's threads run on the same cores.",
        ),
    )
    yield Table(
        title=f"What {STREAMS} open streams cost, and how quickly an event gets through",
        columns=(
            "streams",
            "n",
            "event → client p50",
            "target",
            "verdict",
            "p95",
            "DynamoDB requests/s",
        ),
        rows=tuple(watching),
        notes=(
            "One reader serves all streams: a BatchGetItem of the sessions' heads at each look,",
            "a Query of a log that has grown, and a Query for streamed text where a turn runs.",
            f"Requests are counted over {WATCHED_SECONDS:.0f} s without events. An event is written",
            "straight to the log, and timed until its frame was read from the socket; each after a",
            "pause of random length, so that writing and looking do not fall into step.",
        ),
    )


class _Stream:
    """One open stream; notes when the frame of each event came."""

    def __init__(self, port: int, session: str):
        self.session = session
        self.came: dict[int, float] = {}
        self.started = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def _read(self) -> None:
        body = json.dumps({"resume": {"after_seq": 0}, "session": self.session})
        self._connection.request("POST", "/invocations", body)
        answer = self._connection.getresponse()
        try:
            for line in answer:
                if line.startswith(b"data: "):
                    self._note(json.loads(line.removeprefix(b"data: ")))
        except (OSError, http.client.HTTPException, ValueError):
            return

    def _note(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "answer":
            self.came[frame["seq"]] = time.perf_counter()
        self.started.set()


@contextmanager
def _watched(back: BackEnd, port: int, sessions: int) -> Iterator[list[_Stream]]:
    """Open streams of sessions in which a turn runs that never ends."""
    ids = [f"bench-{uuid.uuid4().hex[:12]}" for _ in range(sessions)]
    for session in ids:
        _occupy(back, session)
    streams = [_Stream(port, ids[number % sessions]) for number in range(STREAMS)]
    try:
        for stream in streams:
            if not stream.started.wait(_PATIENCE_SECONDS):
                raise RuntimeError("a stream did not start")
        yield streams
    finally:
        for stream in streams:
            stream.close()
        _wait_until_closed(port)


def _wait_until_closed(port: int) -> None:
    """A server sees that a client has left when it next writes to it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while json.loads(_get(port, "/health"))["open_streams"]:
        if time.monotonic() > deadline:
            raise RuntimeError("the streams of clients that left stay open")
        time.sleep(_PAUSE_SECONDS)


def _occupy(back: BackEnd, session: str) -> None:
    """Its lease ends in an hour, so nobody takes it for dead."""
    aws, later = back.services.aws, utc_now() + timedelta(hours=1)
    person = aws.settings.person
    Sessions(aws).claim(session, person, "turn-bench", "bench", "bench", "bench", later)
    EventLog(aws, utc_now).append(session, "turn-bench", EventKind.USER, {"text": "bench"})


def _watching(back: BackEnd, name: str, streams: list[_Stream]) -> tuple[str, ...]:
    calls = back.calls_of(lambda: time.sleep(WATCHED_SECONDS))
    requests = sum(n for (who, what), n in calls.items() if _is_read(who, what))
    chance, delays = random.Random(SEED), list[float]()
    for number in range(EVENTS):
        time.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        delays.append(_delay(back, streams[number % len(streams)]))
    of_p50 = (duration(p50(delays)), str(DELAY_TARGET), DELAY_TARGET.verdict(delays))
    return (name, str(EVENTS), *of_p50, duration(p95(delays)), f"{requests / WATCHED_SECONDS:.0f}")


def _is_read(who: str, what: str) -> bool:
    return who == "client" and what.startswith("dynamodb.")


def _delay(back: BackEnd, stream: _Stream) -> float:
    log = EventLog(back.services.aws, utc_now)
    written = log.append(stream.session, "turn-bench", EventKind.ANSWER, {"text": "bench"})
    at = time.perf_counter()
    assert written is not None
    while written.seq not in stream.came:
        if time.perf_counter() - at > _PATIENCE_SECONDS:
            raise RuntimeError("an event did not come")
        time.sleep(_PAUSE_SECONDS / 10)
    return max(0.0, stream.came[written.seq] - at)


def _samples(port: int) -> list[float]:
    """One connection each, as a health check does it."""
    found = []
    for _ in range(PINGS):
        found.append(timed(lambda: _get(port, "/ping")))
        time.sleep(_PAUSE_SECONDS)
    return found


def _row(name: str, samples: list[float]) -> tuple[str, ...]:
    target = f"max < {duration(PING_TARGET_SECONDS)}"
    verdict = "PASS" if max(samples) < PING_TARGET_SECONDS else "over"
    times = (duration(p50(samples)), duration(p95(samples)), duration(max(samples)))
    return (name, str(len(samples)), *times, target, verdict)


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return answer.read()
    finally:
        connection.close()


def _answers(port: int) -> bool:
    try:
        _get(port, "/ping")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    import sys

    from workbench.cli import app

    app(["serve", "--port", sys.argv[1]], prog_name="llmops")
