"""The datasets page: empty, filled, broken, and an upload."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from app.dataset_card import highlighted
from mlops.datasets import preview
from mlops.errors import FaultError
from tests.fake_facts import GOOD_FILE, SENTENCE
from tests.fake_workbench import FakeWorkbench

Draw = Callable[..., AppTest]


def words(at: AppTest) -> str:
    shown = [*at.markdown, *at.caption, *at.info, *at.warning, *at.error]
    return "\n".join(str(element.value) for element in shown).replace("\\", "")


def test_without_datasets_it_says_what_to_do(draw: Draw) -> None:
    at = draw("datasets")
    assert "There are no datasets yet. Upload one below." in words(at)
    assert "No public dataset called ciER could be found" in words(at)


def test_a_dataset_shows_labels_and_marked_sentences(draw: Draw, bench: FakeWorkbench) -> None:
    bench.with_datasets()
    at = draw("datasets")
    table, labels = at.dataframe[0].value, at.dataframe[1].value
    assert table["Name"].tolist() == ["cier", "broken"]
    assert labels.loc["DRUG", "train"] > 0
    assert "Synthetic data" in words(at)
    assert "background[Herzinsuffizienz **DIAGNOSIS**]" in words(at)


def test_a_broken_one_shows_file_and_line_and_can_be_prepared_again(
    draw: Draw, bench: FakeWorkbench
) -> None:
    bench.with_datasets()
    at = draw("datasets", d="broken")
    at.selectbox[0].set_value("broken").run()
    findings = at.dataframe[1].value
    assert "train.tsv:2" in findings["Where"].tolist()
    at.button(key="prepare-broken").click().run()
    assert ("prepare", "broken") in bench.calls
    assert not at.exception


def test_an_upload_is_imported_under_its_name(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("datasets")
    at.file_uploader[0].upload("train.tsv", GOOD_FILE, "text/plain")
    at.text_input[0].set_value("mine")
    submit = next(b for b in at.button if b.label == "Upload and prepare")
    submit.click().run()
    assert not at.exception
    assert bench.calls == [("import", ("mine", ["train.tsv"]))]
    assert at.dataframe[0].value["Name"].tolist() == ["mine"]


def test_an_upload_without_a_file_says_so(draw: Draw, bench: FakeWorkbench) -> None:
    at = draw("datasets")
    next(b for b in at.button if b.label == "Upload and prepare").click().run()
    assert "Choose at least one file" in words(at)
    assert not bench.calls


def test_tokens_cannot_be_markup() -> None:
    (row,) = preview([SENTENCE], 1)
    drawn = highlighted(row, ("DIAGNOSIS", "DRUG"))
    assert "](http" not in drawn
    assert ":green-background[ASS **DRUG**]" in drawn


def test_a_fault_is_shown_in_words(draw: Draw, bench: FakeWorkbench) -> None:
    bench.failure = FaultError("unreachable", "The back end does not answer.")
    assert "The back end does not answer." in words(draw("datasets"))
