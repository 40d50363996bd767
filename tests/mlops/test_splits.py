"""Files to splits by name, and splits that are carved out of the training sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.sentences import Sentence
from mlops.splits import SPLITS, assign_splits, carve


def sentences(count: int, word: str = "w") -> list[Sentence]:
    return [Sentence(tokens=(f"{word}{i}",), labels=("O",)) for i in range(count)]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train.tsv", "devel.tsv", "test.tsv"),
        ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"),
        ("eng.train", "eng.testa", "eng.testb"),
        ("NERtrain.csv", "NERvalidation.csv", "NERtest.csv"),
        ("corpus.jsonl", "corpus-val.jsonl", "corpus-test.jsonl"),
        ("train/data.tsv", "valid/data.tsv", "test/data.tsv"),
        ("test-set/train.tsv", "test-set/dev.tsv", "test-set/test.tsv"),
        ("latest.train.tsv", "latest.dev.tsv", "latest.test.tsv"),
    ],
)
def test_names(train: str, validation: str, test: str) -> None:
    assigned = assign_splits([test, "README.md", ".DS_Store", "metadata.json", validation, train])
    assert (assigned.train, assigned.validation, assigned.test) == (
        (train,),
        (validation,),
        (test,),
    )
    assert assigned.unused == ()


def test_several_files_of_a_split_and_one_of_none() -> None:
    assigned = assign_splits(["train-2.tsv", "train-1.tsv", "notes.pdf", "__MACOSX/train.tsv"])
    assert assigned.train == ("train-1.tsv", "train-2.tsv")
    assert assigned.unused == ("notes.pdf",)


def test_a_single_file_is_the_data_whatever_its_name() -> None:
    assert assign_splits(["my-test.tsv", "LICENSE"]).train == ("my-test.tsv",)
    assert assign_splits(["dev.tsv", "test.tsv"]).train == ()
    assert assign_splits([]).train == ()


def test_one_split_becomes_80_10_10() -> None:
    carved = carve({"train": sentences(200)})
    assert {split: len(carved[split]) for split in SPLITS} == (
        {"train": 160, "validation": 20, "test": 20}
    )


def test_only_the_missing_split_is_carved() -> None:
    test = sentences(5, "t")
    carved = carve({"train": sentences(100), "test": test})
    assert [len(carved[split]) for split in SPLITS] == [90, 10, 5]
    assert carved["test"] == tuple(test)


@given(st.lists(st.integers(0, 30), min_size=3), st.randoms(use_true_random=False))
def test_a_cut_is_a_partition_that_ignores_order(numbers: list[int], random) -> None:
    train = [Sentence(tokens=(f"w{n}",), labels=("O",)) for n in numbers]
    carved = carve({"train": train})
    assert sorted(s.tokens for split in SPLITS for s in carved[split]) == sorted(
        s.tokens for s in train
    )
    for split in ("validation", "test"):
        assert not set(carved["train"]) & set(carved[split])
    random.shuffle(train)
    again = carve({"train": train})
    assert all(set(again[split]) == set(carved[split]) for split in SPLITS)
