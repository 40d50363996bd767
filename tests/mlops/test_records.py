"""JSON lines: token records, texts with offsets, and the line of each fault."""

import json

import pytest

from mlops.formats import SplitRead, read_split
from mlops.schemes import Scheme


def read(text: str) -> SplitRead:
    return read_split("train.jsonl", text.encode())


def rows(result: SplitRead) -> list[list[tuple[str, str]]]:
    return [list(zip(s.tokens, s.labels, strict=True)) for s in result.sentences]


def found(result: SplitRead) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.severity) for problem in result.problems]


@pytest.mark.parametrize("key", ["tags", "ner_tags", "labels"])
def test_token_records(key: str) -> None:
    line = json.dumps({"id": 3, "tokens": ["Anna", "Berg"], key: ["B-PER", "E-PER"]})
    result = read(f"{line}\n\n{line}\n")
    assert rows(result) == [[("Anna", "B-PER"), ("Berg", "I-PER")]] * 2
    assert result.scheme == Scheme.BIOES and result.problem_count == 0


def test_offset_records_are_cut_into_words() -> None:
    text = "Dr. Müller kam aus New York."
    entities = [
        {"start": 4, "end": 10, "label": "PER"},
        {"start": 19, "end": 27, "label": "LOC"},
    ]
    result = read(json.dumps({"text": text, "entities": entities}))
    assert [token for token, _ in rows(result)[0]] == (
        ["Dr", ".", "Müller", "kam", "aus", "New", "York", "."]
    )
    assert [label for _, label in rows(result)[0]] == (
        ["O", "O", "B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    )


def test_an_entity_that_cuts_a_word_is_widened_with_a_warning() -> None:
    record = {"text": "Hustensaft hilft", "entities": [{"start": 0, "end": 6, "label": "X"}]}
    result = read("\n" + json.dumps(record))
    assert rows(result) == [[("Hustensaft", "B-X"), ("hilft", "O")]]
    assert found(result) == [(2, "warning")]


def entity(start: object, end: object, label: object = "X") -> dict[str, object]:
    return {"start": start, "end": end, "label": label}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("{", "Not valid JSON"),
        ("[" * 100_000, "Not valid JSON"),
        ("1" * 5000, ""),
        ("[1]", "one JSON object"),
        ({"tokens": ["a"]}, "Needs"),
        ({"tokens": ["a"], "tags": ["O", "O"]}, "1 tokens but 2 tags"),
        ({"tokens": ["a"], "ner_tags": [3]}, "numbers"),
        ({"tokens": ["a", 1], "tags": ["O", "O"]}, "list of strings"),
        ({"tokens": "ab", "tags": "OO"}, "list of strings"),
        ({"tokens": [], "tags": []}, "without tokens"),
        ({"tokens": ["", "a"], "tags": ["O", "O"]}, "empty token"),
        ({"tokens": ["a\u0000"], "tags": ["O"]}, "no text"),
        ({"tokens": ["\ud800"], "tags": ["O"]}, "no text"),
        ({"tokens": ["a"], "tags": ["B-\n"]}, "Unknown label"),
        ({"text": " ", "entities": []}, "without words"),
        ({"text": 3, "entities": []}, "must be a string"),
        ({"text": "a b", "entities": [3]}, "must be an object"),
        ({"text": "a b", "entities": [entity(True, 1)]}, "whole numbers"),
        ({"text": "a b", "entities": [entity(0, 1.0)]}, "whole numbers"),
        ({"text": "a b", "entities": [entity(0, 1, None)]}, "a string"),
        ({"text": "a b", "entities": [entity(-1, 1)]}, "outside"),
        ({"text": "a b", "entities": [entity(2, 4)]}, "outside"),
        ({"text": "a b", "entities": [entity(1, 2)]}, "covers no word"),
        ({"text": "a b", "entities": [entity(0, 3), entity(2, 3)]}, "overlaps"),
        ({"text": "a b", "entities": [entity(0, 1, "creative work")]}, "Unknown label"),
    ],
)
def test_faulty_records(record: object, words: str) -> None:
    line = record if isinstance(record, str) else json.dumps(record)
    result = read('{"tokens": ["ok"], "tags": ["O"]}\n' + line)
    assert rows(result) == [[("ok", "O")]]
    assert found(result) == [(2, "error")]
    assert words in result.problems[0].message


def test_breaks_inside_a_json_token_become_a_space() -> None:
    result = read(json.dumps({"tokens": ["a\tb\nc", " \n"], "tags": ["B-X", "O"]}))
    assert rows(result) == [[("a b c", "B-X")]]
    assert found(result) == [(1, "warning"), (1, "warning")]
