"""The end of a run in plain English: every number comes from the stored report."""

from collections.abc import Iterator

from mlops.dialogue import answers
from mlops.money import parse_usd, show_usd
from mlops.plan import NextStep
from mlops.report import (
    Outcome,
    Report,
    StageResult,
    Verdict,
    clause_name,
    f1_in_words,
    labels,
)
from mlops.tools import ReportOutput

_ORDER = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
_MOST_NEXT_STEPS = 2


def ended(result: ReportOutput) -> str:
    """Verdicts first, the worst on top; then what ran, what it cost, and what to try next."""
    if result.report is None:
        return answers.failure(result.failure or {})
    return "\n".join(_lines(result.report))


def _lines(report: Report) -> Iterator[str]:
    best = next((s for s in report.stages if s.stage == report.reported_stage), None)
    passed = sum(v.verdict is Outcome.PASS for v in report.verdicts)
    how = "has ended" if best else "ended without a model"
    yield f"The run on {report.dataset} {how}: {passed} of {len(report.verdicts)} clauses PASS."
    yield from (_verdict(v) for o in _ORDER for v in report.verdicts if v.verdict is o)
    if best is not None:
        yield _reported(best, len(report.stages))
    most = show_usd(parse_usd(report.ceiling_usd))
    yield f"It cost {show_usd(parse_usd(report.total_cost_usd))} of at most {most}."
    yield from (_next(step) for step in report.next_steps[:_MOST_NEXT_STEPS])
    yield from labels(report.sandbox, report.synthetic)


def _verdict(verdict: Verdict) -> str:
    name = clause_name(verdict.clause)
    return f"- {verdict.verdict} {name}: wanted {verdict.wanted}, measured {verdict.measured}"


def _reported(stage: StageResult, count: int) -> str:
    what = f"Reported is {stage.model} on {stage.instance_type} (stage {stage.stage} of {count})"
    f1 = f1_in_words(stage)
    if f1 is None:
        return f"{what}; its test F1 was not measured."
    return f"{what}: test F1 {f1}, {stage.billed_seconds} s billed."


def _next(step: NextStep) -> str:
    return f"- To try next: {step.title}, {step.price_in_words()}. {step.why}"
