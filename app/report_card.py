"""Draws a report: PASS, FAIL or UNKNOWN for every clause, what ran, what it cost, where the model lies."""

import pandas as pd
import streamlit as st

from app.plain import escape, seconds, usd
from app.plan_card import labels, next_steps
from app.wording import CLAUSES, comparison, what_runs
from mlops.expectations import interval
from mlops.report import Outcome, Report, StageResult

_BADGES = {
    Outcome.PASS: ":green-badge[:material/check: PASS]",
    Outcome.FAIL: ":red-badge[:material/close: FAIL]",
    Outcome.UNKNOWN: ":gray-badge[:material/help: UNKNOWN]",
}


def draw(report: Report) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            title = f"Report on {escape(report.dataset)}"
            st.subheader(title, anchor=False, width="content")
            if report.reported_stage is None:
                st.badge("No model", icon=":material/block:", color="red")
            labels(report.synthetic, report.sandbox)
        _figures(report)
        _verdicts(report)
        for stage in report.stages:
            _stage(stage, report.reported_stage)
        if report.model_uri:
            st.caption("The model")
            st.code(report.model_uri, language=None, wrap_lines=True)
        next_steps(report.next_steps, "What could reach the target")


def _figures(report: Report) -> None:
    best = next((s for s in report.stages if s.stage == report.reported_stage), None)
    billed = sum(stage.billed_seconds for stage in report.stages)
    with st.container(horizontal=True):
        if best is not None and "f1" in best.metrics:
            low, high = best.metrics.get("f1_low"), best.metrics.get("f1_high")
            title = f"Test F1{interval(low, high)}"
            st.metric(title, f"{best.metrics['f1']:.4f}", width="content")
        st.metric(
            f"Cost (at most {usd(report.ceiling_usd)})",
            usd(report.total_cost_usd),
            width="content",
        )
        st.metric("Billed", seconds(billed), width="content")


def _verdicts(report: Report) -> None:
    rows = [
        (
            f"{_BADGES[verdict.verdict]} {CLAUSES.get(verdict.clause, escape(verdict.clause))}",
            escape(comparison(verdict.wanted)),
            escape(verdict.measured),
        )
        for verdict in report.verdicts
    ]
    frame = pd.DataFrame(rows, columns=["Verdict", "Wanted", "Measured"])
    st.table(frame, border="horizontal", hide_index=True, alt="Verdict for each clause")


def _stage(stage: StageResult, reported: int | None) -> None:
    scores = ", ".join(
        f"{name} {stage.metrics[name]:.4f}"
        for name in ("f1", "precision", "recall")
        if name in stage.metrics
    )
    lines = [
        f"{what_runs(stage)}: {stage.state}, "
        f"billed {stage.billed_seconds} s (estimated {stage.estimated_seconds} s), "
        f"${stage.cost_usd}",
        f"Test: {scores or 'not measured'}",
    ]
    if stage.failure_reason:
        lines.append(f"Reason: {stage.failure_reason}")
    mark = " · reported" if stage.stage == reported else ""
    st.markdown(f"Stage {stage.stage}{mark} · `{stage.job_name}`")
    st.caption("  \n".join(escape(line) for line in lines))
