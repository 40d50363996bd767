"""Preparing a dataset: from uploaded files to splits, statistics, problems, fingerprint."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlops.datasets import (
    Dataset,
    DatasetStatus,
    Metadata,
    Prepared,
    prepare,
    preview,
    read_metadata,
)
from mlops.errors import RequestError
from mlops.formats import read_split
from mlops.sentences import Sentence

CORPORA = Path(__file__).parents[3] / "shared" / "data"


def tsv(count: int, word: str = "w", label: str = "B-X") -> bytes:
    return "".join(f"{word}{i}\t{label}\n.\tO\n\n" for i in range(count)).encode()


def prepared(**files: bytes) -> Prepared:
    return prepare("demo", {f"{name}.tsv": data for name, data in files.items()}, Metadata())


def messages(result: Prepared) -> str:
    return "\n".join(problem.message for problem in result.problems)


def test_three_files_give_the_five_files_of_a_prepared_dataset() -> None:
    metadata = Metadata(title="Demo", synthetic=True, license="CC0", language="de")
    files = {"train.tsv": tsv(30), "dev.tsv": tsv(5, "d"), "test.tsv": tsv(6, "t")}
    result = prepare("demo", files, metadata)
    assert result.status == DatasetStatus.PREPARED and result.problem_count == 0
    assert (result.title, result.synthetic, result.labels) == ("Demo", True, ("X",))
    assert result.splits["test"].model_dump() == (
        {"sentences": 6, "tokens": 12, "entities": {"X": 6}}
    )
    assert list(result.files) == (
        ["train.tsv", "validation.tsv", "test.tsv", "manifest.json", "label_map.json"]
    )
    assert result.files["train.tsv"] == files["train.tsv"]
    manifest = json.loads(result.files["manifest.json"])
    assert manifest["synthetic"] is True and manifest["fingerprint"] == result.fingerprint
    assert manifest["counts"]["validation"]["sentences"] == 5
    assert json.loads(result.files["label_map.json"])["label2id"] == {"O": 0, "B-X": 1, "I-X": 2}


def test_the_same_data_gives_the_same_fingerprint_whatever_its_form() -> None:
    conll = prepare("a", {"all.tsv": tsv(50)}, Metadata())
    lines = "".join(
        json.dumps({"tokens": [f"w{i}", "."], "tags": ["S-X", "O"]}) + "\n" for i in range(50)
    )
    jsonl = prepare("b", {"all.jsonl": lines.encode()}, Metadata(title="other"))
    assert len(conll.fingerprint) == 64 and conll.fingerprint == jsonl.fingerprint
    assert prepare("a", {"all.tsv": tsv(50)}, Metadata()) == conll
    assert prepare("a", conll.files, Metadata()) == conll
    assert prepare("a", {"all.tsv": tsv(51)}, Metadata()).fingerprint != conll.fingerprint


def test_bad_data_is_invalid_and_leaves_no_files() -> None:
    result = prepared(train=tsv(30) + b"x\tFOO\n", test=b"\xff", dev=tsv(3, "d"))
    assert result.status == DatasetStatus.INVALID
    assert result.files == {} and result.fingerprint == ""
    assert [(p.file, p.line, p.severity) for p in result.problems[:2]] == (
        [("train.tsv", 91, "error"), ("test.tsv", 1, "error")]
    )


def test_too_small_or_without_entities_or_without_training() -> None:
    assert "at least 20" in messages(prepared(train=tsv(19), dev=tsv(3), test=tsv(3)))
    assert "every label is O" in messages(prepared(train=tsv(40, label="O")))
    assert "No training split: found dev.tsv, test.tsv" in messages(
        prepared(dev=tsv(30), test=tsv(30))
    )
    assert "no data file" in messages(prepare("demo", {"README.md": b"#"}, Metadata()))


def test_leakage_and_types_that_train_lacks_are_warnings() -> None:
    test = tsv(3) + tsv(1, "t", "B-Y")
    result = prepared(train=tsv(30), dev=tsv(2, "d", "O"), test=test)
    assert result.status == DatasetStatus.PREPARED and result.problem_count == 3
    assert "3 of 4 test sentences (75.0%) also occur in train" in messages(result)
    assert "Types in test but not in train: Y." in messages(result)
    assert "No entity in the validation split" in messages(result)


def test_swapped_columns_with_too_many_types_stay_a_small_record() -> None:
    train = "".join(f"w\tB-type{i}\n\n" for i in range(5000)).encode()
    result = prepared(train=train)
    assert result.status == DatasetStatus.INVALID and len(result.labels) < 1000
    assert "More than 200 entity types" in messages(result)


def test_an_unused_file_is_named_and_not_read() -> None:
    result = prepare("demo", {"train.tsv": tsv(40), "scan.pdf": b"\0"}, Metadata())
    assert result.status == DatasetStatus.PREPARED
    assert "scan.pdf is not used" in messages(result)


def test_the_stored_record_survives_json() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    record = prepared(train=tsv(40)).to_dataset("s3://b/raw/demo/", None, now)
    assert Dataset.model_validate_json(record.model_dump_json()) == record
    with pytest.raises(ValidationError):
        Dataset.model_validate(record.model_dump() | {"name": "../x"})


def test_metadata_ignores_what_it_does_not_know_and_refuses_what_is_wrong() -> None:
    assert read_metadata(b'{"title": "T", "synthetic": true, "more": 1}').synthetic
    for broken in (b"{", b"[]", b'{"synthetic": "perhaps"}', b"\xff"):
        with pytest.raises(RequestError, match="metadata.json"):
            read_metadata(broken)


def test_preview_shows_entities_as_token_positions() -> None:
    sentence = Sentence(tokens=("<b>", "New", "York"), labels=("O", "B-LOC", "I-LOC"))
    (row,) = preview([sentence, sentence], limit=1)
    assert row.tokens[0] == "<b>"
    assert [(s.start, s.end, s.label) for s in row.spans] == [(1, 3, "LOC")]


def test_a_real_corpus_is_prepared_without_change() -> None:
    folder = CORPORA / "ncbi-disease"
    if not folder.exists():
        pytest.skip("the public corpora are not here")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = prepare("ncbi-disease", files, Metadata())
    assert result.status == DatasetStatus.PREPARED and result.labels == ("Disease",)
    assert result.files["validation.tsv"] == files["devel.tsv"]
    read_back = read_split("test.tsv", result.files["test.tsv"])
    assert sum(len(s.tokens) for s in read_back.sentences) == 24_497
    assert "5 of 923 validation sentences" in messages(result)
