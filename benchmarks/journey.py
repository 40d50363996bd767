"""From a sentence to its plan and to its report, as a person at the workbench waits for it; no browser."""

from collections.abc import Iterator

from benchmarks.back_end import SENTENCE, BackEnd, back_end, finish, plan, temporary_home, train
from benchmarks.tables import TIME_COLUMNS, Table, Target, time_row, timed
from lambdas import get_costs
from localaws import stack
from mlops.events import EventKind
from mlops.report import Report
from mlops.tools import TOOLS
from workbench.following import POLL_SECONDS

PLANS, REPORTS, COUNTED, TOOL_CALLS, STARTS = 20, 3, 3, 100, 3
PLAN_TARGET = Target("p50", 1.5)
REPORT_TARGET = Target("p50", 45)
TOOL_TARGET = Target("p50", 0.010)


def run() -> Iterator[Table]:
    yield _starts()
    with back_end() as back:
        first = plan(back.bench, back.bench.new_session()).seconds
        yield _plans(back, first)
        yield _calls(back)
        yield _tools(back)
        yield _reports(back)


def _starts() -> Table:
    first, again, joined = [], [], []
    for _ in range(STARTS):
        with temporary_home() as home:
            first.append(timed(lambda home=home: stack.ensure(home)))
            joined += [timed(lambda home=home: stack.ensure(home)) for _ in range(5)]
            stack.stop(home)
            again.append(timed(lambda home=home: stack.ensure(home)))
    rows = (
        time_row("start on an empty folder (zips, tables, both samples)", first),
        time_row("start again on the same folder", again),
        time_row("join the one that runs", joined),
    )
    return Table(title="The embedded AWS, until it answers", columns=TIME_COLUMNS, rows=rows)


def _plans(back: BackEnd, first: float) -> Table:
    followed, logged = [], []
    for _ in range(PLANS):
        session = back.bench.new_session()
        followed.append(plan(back.bench, session).seconds)
        logged.append(_logged_seconds(back, session))
    rows = (
        time_row("first plan after the start: dataset prepared, functions cold", [first]),
        time_row("warm, until the follower shows the card", followed, PLAN_TARGET),
        time_row("warm, by the times in the log", logged),
    )
    note = (
        f"The follower looks every {POLL_SECONDS} s, as `llmops ask` does; the log's times are "
        "without that."
    )
    return Table(
        title="Sentence → plan card (the approval waits)",
        columns=TIME_COLUMNS,
        rows=rows,
        notes=(f"Said: {SENTENCE}", note),
    )


def _logged_seconds(back: BackEnd, session: str) -> float:
    """From the person's words to the waiting approval, as the log dates them."""
    at = {event.kind: event.at for event in back.bench.events(session)}
    return (at[EventKind.APPROVAL] - at[EventKind.USER]).total_seconds()


def _calls(back: BackEnd) -> Table:
    """The leanest of a few turns: the watchdog's minute may fall into one of them."""
    found = [back.calls_of(lambda: _turn(back)) for _ in range(COUNTED)]
    calls = min(found, key=lambda counted: counted.total())
    names = sorted({name for _, name in calls})
    rows = [_call_row(name, calls["client", name], calls["function", name]) for name in names]
    of_client = sum(count for (caller, _), count in calls.items() if caller == "client")
    rows.append(_call_row("sum", of_client, calls.total() - of_client))
    totals = ", ".join(str(counted.total()) for counted in found)
    return Table(
        title="AWS calls of one warm sentence → plan card",
        columns=("operation", "agent", "functions", "all"),
        rows=tuple(rows),
        notes=(
            "Counted where they arrive: by an access log of the embedded AWS, from the question to",
            "the end of the turn, without anybody following it. “functions” are the calls that the",
            f"tools make from inside Lambda. In {COUNTED} turns: {totals} calls; the fewest are shown.",
            "Transactions name no table; those of the agent append to the log.",
        ),
    )


def _turn(back: BackEnd) -> None:
    finish(back.services.turns, back.bench.ask(SENTENCE, back.bench.new_session()))


def _call_row(name: str, of_client: int, of_functions: int) -> tuple[str, ...]:
    return (name, str(of_client), str(of_functions), str(of_client + of_functions))


def _tools(back: BackEnd) -> Table:
    """Each call by the gateway is followed by the same work without gateway and Lambda."""
    arguments = {"person": back.services.settings.person}
    wanted = TOOLS["get_costs"].read(arguments)
    gateway, aws = back.services.gateway, back.services.aws
    by_gateway, by_hand = [], []
    for _ in range(TOOL_CALLS):
        by_gateway.append(timed(lambda: gateway.invoke_tool("get_costs", arguments)))
        by_hand.append(timed(lambda: get_costs.costs(aws, wanted).model_dump(mode="json")))
    overhead = [whole - work for whole, work in zip(by_gateway, by_hand, strict=True)]
    rows = (
        time_row("get_costs by the gateway client", by_gateway),
        time_row("the same function called in this process", by_hand),
        time_row("overhead: the difference, pair by pair", overhead, TOOL_TARGET),
    )
    note = "Both read the ledger from the same embedded AWS; the function is warm."
    return Table(title="Tool call", columns=TIME_COLUMNS, rows=rows, notes=(note,))


def _reports(back: BackEnd) -> Table:
    samples: list[float] = []
    reports: list[Report] = []
    for _ in range(REPORTS):
        session = back.bench.new_session()
        samples.append(timed(lambda s=session: reports.append(train(back.bench, s))))
    rows = (time_row("cier, 5,000 synthetic sentences", samples, REPORT_TARGET),)
    return Table(
        title="Sentence → trained, evaluated model and report",
        columns=TIME_COLUMNS,
        rows=rows,
        notes=tuple(_ran(report) for report in reports),
    )


def _ran(report: Report) -> str:
    stage = report.stages[-1]
    f1, low, high = (stage.metrics[name] for name in ("f1", "f1_low", "f1_high"))
    return (
        f"Ran: {stage.engine} on {stage.instance_type} (sandbox), billed {stage.billed_seconds} s, "
        f"${report.total_cost_usd} at list price; test F1 {f1:.3f} ({low:.3f}–{high:.3f})."
    )
