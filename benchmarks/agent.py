"""What the agent itself costs: time and requests per turn, calls through the Gateway, tokens, open streams."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from agent.bedrock import BedrockModel
from agent.turns import Turns
from benchmarks import agent_gateway, agent_streams, agent_tokens
from benchmarks.access_log import Calls
from benchmarks.back_end import SENTENCE, BackEnd, back_end, finish, plan
from benchmarks.tables import Table, duration, p50, p95
from benchmarks.workload import utc_now

KINDS = {
    "a greeting": "Hello!",
    "a question, one tool": "What did we spend?",
    "sentence → plan card": SENTENCE,
}
TURNS, COUNTED = 10, 3

Span = tuple[float, float]


def run() -> Iterator[Table]:
    with back_end() as back:
        plan(back.bench, back.bench.new_session())
        yield _overhead(back)
        yield _requests(back)
        yield agent_gateway.measure(back)
        yield agent_tokens.measure(back)
        yield from agent_streams.measure(back)


class Stopwatch:
    """Whatever is called through it is noted, with beginning and end."""

    def __init__(self, inner: Any):
        self._inner = inner
        self.spans: list[Span] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.spans.append((began, time.perf_counter()))

        return timed


def covered(spans: Sequence[Span]) -> float:
    """Seconds in which at least one of them ran: tools run side by side."""
    seconds, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        seconds += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return seconds


def _overhead(back: BackEnd) -> Table:
    rows = [_overhead_row(back, name, text) for name, text in KINDS.items()]
    return Table(
        title="Overhead per turn: graph, log, leases and checkpoints, without model and tools",
        columns=("turn", "n", "whole p50", "own p50", "own p95", "state in memory", "checkpoints"),
        rows=tuple(rows),
        notes=(
            "Own: the whole turn less the time in which a model call or a tool call ran. “State in",
            "memory” is the same with LangGraph's checkpoints in this process, not in DynamoDB;",
            "the difference, pair by pair, is what checkpoints cost. Each turn is the first of its conversation.",
        ),
    )


def _overhead_row(back: BackEnd, name: str, text: str) -> tuple[str, ...]:
    """Both kinds in turn, so that other work on the machine meets both."""
    kept, in_memory = _runner(back, None), _runner(back, InMemorySaver())
    stored, memory = [], []
    for _ in range(TURNS + 1):
        stored.append(kept(text))
        memory.append(in_memory(text))
    whole = [seconds for seconds, _ in stored[1:]]
    own = [seconds for _, seconds in stored[1:]]
    without = [seconds for _, seconds in memory[1:]]
    checkpoints = median(a - b for a, b in zip(own, without, strict=True))
    times = (p50(whole), p50(own), p95(own), p50(without), checkpoints)
    return (name, str(TURNS), *map(duration, times))


def _runner(back: BackEnd, saver: Any) -> Callable[[str], tuple[float, float]]:
    """Runs one turn: seconds of the whole, and of it without model and tools."""
    aws = back.services.aws
    model: Any = Stopwatch(BedrockModel(aws))
    gateway: Any = Stopwatch(back.services.gateway)
    turns = Turns(aws, gateway, utc_now, f"bench-{uuid.uuid4().hex[:6]}", model, saver)

    def one(text: str) -> tuple[float, float]:
        model.spans.clear()
        gateway.spans.clear()
        began = time.perf_counter()
        finish(turns, turns.submit(back.bench.new_session(), text))
        whole = time.perf_counter() - began
        return whole, whole - covered([*model.spans, *gateway.spans])

    return one


def _requests(back: BackEnd) -> Table:
    """The leanest of a few turns: the watchdog's minute may fall into one of them."""
    found = {
        name: _leanest(back, lambda text=text: _ask(back, text)) for name, text in KINDS.items()
    }
    found["approval → launched"] = _leanest_approval(back)
    names = sorted({name for calls in found.values() for name in calls})
    rows = [(name, *(str(calls[name]) for calls in found.values())) for name in names]
    sums = tuple(str(calls.total()) for calls in found.values())
    return Table(
        title="DynamoDB requests of the agent per turn, by kind and table",
        columns=("operation", *found),
        rows=(*rows, ("sum", *sums)),
        notes=(
            "Counted where they arrive, from the question to the end of the turn, without anybody",
            "following it; those of the tools' functions are not among them. Transactions name no",
            f"table: each appends an event to the log. The leanest of {COUNTED} turns.",
        ),
    )


def _leanest(back: BackEnd, turn: Callable[[], object]) -> Counter[str]:
    return min((_of_agent(back.calls_of(turn)) for _ in range(COUNTED)), key=Counter.total)


def _leanest_approval(back: BackEnd) -> Counter[str]:
    found = []
    for _ in range(COUNTED):
        plan_id = plan(back.bench, back.bench.new_session()).plan_id
        calls = back.calls_of(lambda plan_id=plan_id: _approve(back, plan_id))
        found.append(_of_agent(calls))
    return min(found, key=Counter.total)


def _of_agent(calls: Calls) -> Counter[str]:
    prefix = "dynamodb."
    return Counter(
        {
            name.removeprefix(prefix): count
            for (caller, name), count in calls.items()
            if caller == "client" and name.startswith(prefix)
        }
    )


def _ask(back: BackEnd, text: str) -> None:
    finish(back.services.turns, back.bench.ask(text, back.bench.new_session()))


def _approve(back: BackEnd, plan_id: str) -> None:
    finish(back.services.turns, back.bench.approve(plan_id))
