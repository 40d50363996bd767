"""The money of this month: spent and reserved against the limit, every booking, and the limit itself."""

import streamlit as st

from app import session
from app.plain import at_least, escape, usd
from app.plan_card import labels
from app.theme import chart, mode, table
from mlops.money import parse_usd
from mlops.tools import CostsOutput, TeamCosts
from workbench import figures, frames


def main() -> None:
    st.title("Costs", anchor=False)
    session.show_notice(session.take_notice())
    costs = session.read(lambda: session.workbench().costs())
    labels(synthetic=False, sandbox=costs.sandbox)
    _totals(costs, f"Limit for {costs.month}")
    if parse_usd(costs.storage_usd):
        st.caption(f"Training volumes are {escape(usd(costs.storage_usd))} of what is spent.")
    if costs.team is not None:
        st.subheader(f"Team {escape(costs.team.name)}", anchor=False)
        _totals(costs.team, f"Team limit for {costs.month}")
    entries = session.read(lambda: session.workbench().ledger())
    if entries:
        chart(figures.spend_over_time(entries, mode()), "spend")
        st.subheader("Bookings", anchor=False)
        table(frames.ledger_frame(entries), "bookings", "Bookings of this month")
    else:
        st.info("Nothing was spent or reserved this month.", icon=":material/savings:")
    _limit(costs)


def _totals(month: CostsOutput | TeamCosts, limit: str) -> None:
    with st.container(horizontal=True):
        st.metric("Spent", usd(month.spent_usd), border=True)
        st.metric("Reserved", usd(month.reserved_usd), border=True)
        st.metric("Left", at_least(month.left_usd), border=True)
        st.metric(limit, usd(month.limit_usd), border=True)


def _limit(costs: CostsOutput) -> None:
    st.subheader("Monthly limit", anchor=False)
    with st.form("limit", border=True):
        limit = st.text_input("Limit in US dollars", value=costs.limit_usd, max_chars=12)
        if st.form_submit_button("Set the limit"):
            session.attempt(
                lambda: session.workbench().set_monthly_limit(limit.strip().lstrip("$")),
                lambda now: f"The limit is now {usd(now.limit_usd)}.",
            )
            st.rerun()


main()
