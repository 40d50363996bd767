"""Draws a plan: what would run where, the most it can cost, why, and the two buttons of a person."""

import streamlit as st

from app import session
from app.blocks import PlanCard
from app.plain import escape, seconds, usd
from app.wording import BINDING, price, what_runs
from mlops.expectations import UNKNOWN
from mlops.plan import NextStep, Plan, Stage
from workbench import lines


def draw(card: PlanCard, read_only: bool = False) -> None:
    plan = card.plan
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            title = f"Plan for {escape(plan.dataset.name)}"
            st.subheader(title, anchor=False, width="content")
            labels(plan.dataset.synthetic, plan.sandbox)
        _figures(plan)
        for stage in plan.stages:
            _stage(stage, len(plan.stages), plan.waits)
        _why(plan)
        _start(plan)
        _options(plan)
        next_steps(plan.next_steps, "Stronger models, not part of this plan")
        _decision(card, read_only)


def labels(synthetic: bool, sandbox: bool) -> None:
    """What a person must not overlook, in words."""
    if synthetic:
        st.badge("Synthetic data", icon=":material/science:", color="violet")
    if sandbox:
        st.badge("Sandbox: metered at list price, not billed", color="gray")


def next_steps(steps: tuple[NextStep, ...], title: str) -> None:
    """Models that were left out, with what they would cost and why they are not run."""
    if not steps:
        return
    with st.expander(f"{title} ({len(steps)})"):
        for step in steps:
            on = f" on {escape(step.instance_type)}" if step.instance_type else ""
            cost = escape(step.price_in_words())
            st.markdown(f"- **{escape(step.title)}**{on}: {cost}. {escape(step.why)}")


def _figures(plan: Plan) -> None:
    low = sum(stage.estimate.p50_seconds for stage in plan.stages)
    high = sum(stage.estimate.p90_seconds for stage in plan.stages)
    budget = "not stated" if plan.budget_usd is None else f"${plan.budget_usd}"
    with st.container(horizontal=True):
        st.metric("The most it can cost", usd(plan.ceiling_usd), width="content")
        st.metric("Budget", budget, width="content")
        st.metric("Estimated time", f"{seconds(low)} – {seconds(high)}", width="content")


def _stage(stage: Stage, count: int, waits: dict[str, str]) -> None:
    estimate = stage.estimate
    of = f"Stage {stage.number} of {count}: " if count > 1 else ""
    spot = ", spot" if stage.spot else ""
    where = f"{what_runs(stage)}{spot}"
    st.markdown(f"{of}**{escape(where)}** · {escape(price(stage))}")
    bound = f" ({BINDING.get(stage.bound_by, stage.bound_by)} binds)" if stage.bound_by else ""
    facts = (
        f"Estimate (p50–p90): {seconds(estimate.p50_seconds)} – {seconds(estimate.p90_seconds)}, "
        f"{usd(estimate.p50_usd)} – {usd(estimate.p90_usd)}; {estimate.basis}.",
        f"Stopped after {seconds(stage.max_runtime_seconds)}{bound}; "
        f"at most {usd(stage.ceiling_usd)}.",
        f"Expected score: {stage.expected.in_words() if stage.expected else UNKNOWN}.",
        f"Waits for {stage.instance_type} that were seen: "
        f"{waits.get(stage.instance_type, UNKNOWN)}.",
        f"Price source: {stage.price_source}.",
    )
    st.caption("  \n".join(escape(fact) for fact in facts))


def _why(plan: Plan) -> None:
    with st.expander("Why this plan"):
        for reason in plan.reasons:
            st.markdown(f"- {escape(reason)}")
        if plan.binds:
            st.markdown(f"- What binds: {escape(BINDING.get(plan.binds, plan.binds))}.")
        for figure in plan.published:
            said = f"{figure.model} {figure.in_words()}"
            st.markdown(f"- Published for data of this name: {escape(said)}.")
        for left_out in plan.rejections:
            st.markdown(f"- Left out: {escape(left_out.what)}. {escape(left_out.why)}")


def _start(plan: Plan) -> None:
    """What was wished of waiting, before anything is approved."""
    for wish in lines.of_wishes(plan):
        st.markdown(f":material/schedule: {escape(wish)}")


def _options(plan: Plan) -> None:
    """Other ways that fit, and that no way beats in cost, time and strength at once."""
    for found in plan.elsewhere:
        st.caption(escape(lines.of_elsewhere(found)))
    if not plan.alternatives:
        return
    with st.expander(f"Other ways that fit ({len(plan.alternatives)})"):
        for option in plan.alternatives:
            guess, spot = option.estimate, ", spot" if option.spot else ""
            text = (
                f"on {option.instance_type}{spot}, {option.epochs} epochs: "
                f"{seconds(guess.p50_seconds)} – {seconds(guess.p90_seconds)}, "
                f"{usd(guess.p50_usd)} – {usd(guess.p90_usd)}; expected score "
                f"{option.expected.in_words() if option.expected else UNKNOWN}. {option.why}"
            )
            st.markdown(f"- **{escape(option.title)}** {escape(text)}")


def _decision(card: PlanCard, read_only: bool) -> None:
    plan = card.plan
    if card.status == "approved":
        by = f" by {escape(card.by)}" if card.by else ""
        st.markdown(
            f":green-badge[:material/check: Approved{by}, up to \\{usd(plan.ceiling_usd)}]"
        )
    elif card.status == "queued":
        _queued(card, read_only)
    elif card.status == "cancelled":
        st.markdown(":gray-badge[:material/close: Taken out of the queue; nothing was started]")
    elif card.status == "declined":
        st.markdown(":gray-badge[:material/close: Declined; nothing was started]")
    elif card.status == "waiting" and not read_only:
        _buttons(plan)
    elif card.status:
        st.markdown(f":gray-badge[{escape(card.status.capitalize())}]")


def _queued(card: PlanCard, read_only: bool) -> None:
    """Approved, and waiting for its time or for quota."""
    plan = card.plan
    st.markdown(f":blue-badge[:material/hourglass_top: Queued, up to \\{usd(plan.ceiling_usd)}]")
    st.caption(escape(f"{card.note} Waiting does not count as training time."))
    if not read_only:
        key = f"cancel-{plan.plan_id}"
        st.button("Take out of the queue", key=key, on_click=_cancel, args=(plan.plan_id,))


def _buttons(plan: Plan) -> None:
    if plan.budget_usd is None:
        st.caption("You named no budget: the sum that you approve becomes the budget.")
    with st.container(horizontal=True):
        st.button(
            f"Approve up to \\{usd(plan.ceiling_usd)}",
            key=f"approve-{plan.plan_id}",
            type="primary",
            icon=":material/check:",
            on_click=_approve,
            args=(plan.plan_id,),
        )
        st.button(
            "Decline", key=f"decline-{plan.plan_id}", on_click=_decline, args=(plan.plan_id,)
        )


def _approve(plan_id: str) -> None:
    session.attempt(lambda: session.workbench().approve(plan_id), "Approved; training starts.")


def _cancel(plan_id: str) -> None:
    done = "Taken out of the queue; nothing was started."
    session.attempt(lambda: session.workbench().cancel(plan_id), done)


def _decline(plan_id: str) -> None:
    session.attempt(lambda: session.workbench().decline(plan_id), "Declined; nothing starts.")
