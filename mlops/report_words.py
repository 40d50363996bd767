"""The end of a run in plain English: every number comes from the stored report."""

from collections.abc import Iterator, Mapping

from mlops import answers
from mlops.money import parse_usd, show_usd
from mlops.plan import NextStep
from mlops.report import Outcome, Report, StageResult, Verdict
from mlops.tools import ReportOutput

_CLAUSES: Mapping[str, str] = {"budget_usd": "budget", "max_minutes": "time", "target": "target"}
_ORDER = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
_MOST_NEXT_STEPS = 2


def ended(result: ReportOutput) -> str:
    """Verdicts first, the worst on top; then what ran, what it cost, and what to try next."""
    if result.report is None:
        return answers.failure(result.failure or {})
    return "\n".join(_lines(result.report))


def _lines(report: Report) -> Iterator[str]:
    passed = sum(v.verdict is Outcome.PASS for v in report.verdicts)
    yield (
        f"The run on {report.dataset} has ended: {passed} of {len(report.verdicts)} clauses PASS."
    )
    yield from (_verdict(v) for o in _ORDER for v in report.verdicts if v.verdict is o)
    best = next((s for s in report.stages if s.stage == report.reported_stage), None)
    yield _reported(best, len(report.stages)) if best else "No stage gave a model."
    most = show_usd(parse_usd(report.ceiling_usd))
    yield f"It cost {show_usd(parse_usd(report.total_cost_usd))} of at most {most}."
    yield from (_next(step) for step in report.next_steps[:_MOST_NEXT_STEPS])
    yield from _labels(report)


def _verdict(verdict: Verdict) -> str:
    name = _CLAUSES.get(verdict.clause, verdict.clause)
    return f"- {verdict.verdict} {name}: wanted {verdict.wanted}, measured {verdict.measured}"


def _reported(stage: StageResult, count: int) -> str:
    what = f"Reported is {stage.model} on {stage.instance_type} (stage {stage.stage} of {count})"
    f1, low, high = (stage.metrics.get(name) for name in ("f1", "f1_low", "f1_high"))
    if f1 is None:
        return f"{what}; its test F1 was not measured."
    interval = f" (95 %: {low:.4f}–{high:.4f})" if low is not None and high is not None else ""
    return f"{what}: test F1 {f1:.4f}{interval}, {stage.billed_seconds} s billed."


def _next(step: NextStep) -> str:
    price = "no verified price" if step.ceiling_usd is None else f"from ${step.ceiling_usd}"
    return f"- To try next: {step.title}, {price}. {step.why}"


def _labels(report: Report) -> Iterator[str]:
    if report.synthetic:
        yield "The data is synthetic."
    if report.sandbox:
        yield "This is a sandbox: metered at list price, not billed."
