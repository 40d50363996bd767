"""The GPUs page: prices with their date, quotas, and what is unknown."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mlops.errors import FaultError
from tests.fake_workbench import FakeWorkbench

Draw = Callable[..., AppTest]


def test_gpus_come_cheapest_first_and_the_cheapest_is_named(draw: Draw) -> None:
    at = draw("gpus")
    table = at.dataframe[0].value
    assert table["Type"].tolist()[0] == "ml.g4dn.xlarge"
    assert table["Note"].tolist()[0] == "★ cheapest GPU"
    assert None not in table["GPU"].tolist()
    assert at.metric[0].value == "$0.7364 per hour"


def test_without_the_filter_cpu_types_and_unpriced_ones_are_listed(draw: Draw) -> None:
    at = draw("gpus")
    at.toggle(key="gpu_only").set_value(False).run()
    table = at.dataframe[0].value
    assert "ml.m5.large" in table["Type"].tolist()
    assert table.iloc[-1]["USD per hour"] == "no price"
    assert "unknown" in table["Free"].tolist()
    assert "shown only" in table["Note"].tolist()


def test_only_what_is_free(draw: Draw) -> None:
    at = draw("gpus")
    at.toggle(key="free_only").set_value(True).run()
    assert "unknown" not in at.dataframe[0].value["Free"].tolist()


def test_filters_that_leave_nothing_say_so(draw: Draw, bench: FakeWorkbench) -> None:
    found = bench.gpus().model_copy(update={"offers": (), "cheapest_gpu": None, "cheapest": None})
    bench.gpus = lambda *_, **__: found
    at = draw("gpus")
    assert "No instance type passes these filters." in at.info[0].value
    assert at.metric[0].value == "none"


def test_a_fault_is_shown_in_words(draw: Draw, bench: FakeWorkbench) -> None:
    bench.failure = FaultError("unreachable", "The back end does not answer.")
    assert any("does not answer" in e.value for e in draw("gpus").error)
