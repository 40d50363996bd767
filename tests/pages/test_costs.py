"""The costs page: sums that never flatter, bookings, and the limit."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mlops.errors import FaultError
from mlops.tools import TeamCosts
from tests.fake_workbench import FakeWorkbench

Draw = Callable[..., AppTest]


def test_an_unused_month_says_so(draw: Draw) -> None:
    at = draw("costs")
    assert "Nothing was spent or reserved" in at.info[0].value
    assert any("Sandbox" in element.value for element in at.markdown)


def test_sums_and_bookings_are_those_of_the_ledger(draw: Draw, bench: FakeWorkbench) -> None:
    bench.with_bookings()
    at = draw("costs")
    assert [m.value for m in at.metric] == ["$0.002012", "$0.70", "$49.29", "$50.00"]
    assert at.dataframe[0].value["Booking"].tolist() == ["reserve", "settle", "reserve", "tokens"]


def test_a_new_limit_is_set_and_shown(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("costs")
    at.text_input[0].set_value("$20")
    next(b for b in at.button if b.label == "Set the limit").click().run()
    assert bench.calls == [("limit", "20")]
    assert at.toast[0].value.replace("\\", "") == "The limit is now $20.00."
    assert at.metric[3].value == "$20.00"


def test_a_limit_below_what_is_taken_is_refused_in_words(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("costs")
    at.text_input[0].set_value("0.5")
    next(b for b in at.button if b.label == "Set the limit").click().run()
    assert "already spent or reserved" in at.error[0].value
    assert at.metric[3].value == "$50.00"


def test_words_are_no_amount(draw: Draw) -> None:
    at = draw("costs")
    at.text_input[0].set_value("much")
    next(b for b in at.button if b.label == "Set the limit").click().run()
    assert "is not an amount of money" in at.error[0].value.replace("\\", "")


def test_a_fault_is_shown_in_words(draw: Draw, bench: FakeWorkbench) -> None:
    bench.failure = FaultError("unreachable", "The back end does not answer.")
    assert any("does not answer" in e.value for e in draw("costs").error)


def test_a_team_and_the_volumes_are_shown(
    draw: Draw, bench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = bench.costs()
    team = TeamCosts(
        name="[n]lp", limit_usd="20.00", spent_usd="3.00", reserved_usd="1.00", left_usd="16.00"
    )
    shown = month.model_copy(update={"team": team, "storage_usd": "0.0013"})
    monkeypatch.setattr(bench, "costs", lambda: shown)
    at = draw("costs")
    assert [m.value for m in at.metric][4:] == ["$3.00", "$1.00", "$16.00", "$20.00"]
    assert any(s.value.startswith("Team") and "[n]" not in s.value for s in at.subheader)
    assert any("0013" in c.value for c in at.caption)


@pytest.mark.parametrize("page", ["chat", "datasets", "gpus", "jobs", "costs"])
def test_every_page_says_that_this_is_a_sandbox(draw: Draw, page: str) -> None:
    assert "Sandbox: metered, not billed" in [c.value for c in draw(page).sidebar.caption]
