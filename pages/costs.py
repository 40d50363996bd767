"""The money of this month: spent and reserved against the limit, every booking, and the limit itself."""

import streamlit as st

from app import session
from app.plain import at_least, at_most, escape
from app.theme import chart, mode, table
from mlops.money import parse_usd, show_usd
from mlops.tools import CostsOutput
from workbench import figures, frames


def main() -> None:
    st.title("Costs", anchor=False)
    session.show_notice(session.take_notice())
    costs = session.read(lambda: session.workbench().costs())
    if costs.sandbox:
        st.badge("Sandbox: metered at list price, not billed", color="gray")
    _totals(
        costs.spent_usd,
        costs.reserved_usd,
        costs.left_usd,
        (f"Limit for {costs.month}", costs.limit_usd),
    )
    if parse_usd(costs.storage_usd):
        st.caption(f"Training volumes are {escape(at_most(costs.storage_usd))} of what is spent.")
    if costs.team is not None:
        team = costs.team
        st.subheader(f"Team {escape(team.name)}", anchor=False)
        limit = (f"Team limit for {costs.month}", team.limit_usd)
        _totals(team.spent_usd, team.reserved_usd, team.left_usd, limit)
    entries = session.read(lambda: session.workbench().ledger())
    if entries:
        chart(figures.spend_over_time(entries, mode()), "spend")
        st.subheader("Bookings", anchor=False)
        table(frames.ledger_frame(entries), "bookings", "Bookings of this month")
    else:
        st.info("Nothing was spent or reserved this month.", icon=":material/savings:")
    _limit(costs)


def _totals(spent_usd: str, reserved_usd: str, left_usd: str, limit: tuple[str, str]) -> None:
    figures_usd = (
        ("Spent", at_most(spent_usd)),
        ("Reserved", at_most(reserved_usd)),
        ("Left", at_least(left_usd)),
        (limit[0], show_usd(parse_usd(limit[1]))),
    )
    with st.container(horizontal=True):
        for label, value in figures_usd:
            st.metric(label, value, border=True)


def _limit(costs: CostsOutput) -> None:
    st.subheader("Monthly limit", anchor=False)
    with st.form("limit", border=True):
        limit = st.text_input("Limit in US dollars", value=costs.limit_usd, max_chars=12)
        if st.form_submit_button("Set the limit"):
            session.attempt(
                lambda: session.workbench().set_monthly_limit(limit.strip().lstrip("$")),
                lambda now: f"The limit is now {show_usd(parse_usd(now.limit_usd))}.",
            )
            st.rerun()


main()
