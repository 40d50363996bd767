"""CoNLL, TSV and CSV: what is read, and at which line a fault is reported."""

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlops import formats
from mlops.formats import Format, SplitRead, read_split
from mlops.schemes import Scheme
from mlops.sentences import MAX_LISTED_PROBLEMS, Sentence, to_tsv

CORPORA = Path(__file__).parents[3] / "shared" / "data"


def read(text: str, name: str = "train.conll") -> SplitRead:
    return read_split(name, text.encode())


def rows(result: SplitRead) -> list[list[tuple[str, str]]]:
    return [list(zip(s.tokens, s.labels, strict=True)) for s in result.sentences]


def found(result: SplitRead) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.severity) for problem in result.problems]


# CoNLL / TSV


def test_a_very_long_sentence_is_questioned_at_its_first_line() -> None:
    result = read("Anna\tB-PER\n\n" + "lebt\tO\n" * 1001)
    (problem,) = result.problems
    assert (problem.line, problem.severity) == (3, "warning")
    assert problem.message.startswith("A sentence of 1001 tokens: is a blank line")
    assert read("lebt\tO\n" * 1000).problems == ()


def test_tabs_and_separator_lines_that_hold_a_tab() -> None:
    result = read("Anna\tB-PER\nlebt\tO\n\t\nBerlin\tB-LOC\n")
    assert rows(result) == [[("Anna", "B-PER"), ("lebt", "O")], [("Berlin", "B-LOC")]]
    assert result.problem_count == 0 and result.format == Format.CONLL


def test_spaces_middle_columns_document_marks_and_comments() -> None:
    text = "# id 7\n-DOCSTART- -X- -X- O\n\n# text = EU rejects\nEU NNP I-NP B-ORG\nno DT X O\n"
    result = read(text)
    assert rows(result) == [[("EU", "B-ORG"), ("no", "O")]]
    assert result.problem_count == 0


def test_a_hash_token_is_no_comment() -> None:
    result = read("#nlp\tB-X\n\n#\tO\n\n#tag\tFOO\n")
    assert rows(result) == [[("#nlp", "B-X")], [("#", "O")]]
    assert found(result) == [(5, "error")]


def test_a_token_may_hold_spaces_between_tabs() -> None:
    assert rows(read("New York\tB-LOC\n")) == [[("New York", "B-LOC")]]


def test_joined_labels_take_the_first() -> None:
    assert rows(read("a\tB-person,B-group\nb\tO,O\n")) == [[("a", "B-person"), ("b", "O")]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(end: str) -> None:
    result = read(f"\ufeffa\tB-X{end}b\tI-X{end}{end}c\tFOO{end}")
    assert rows(result) == [[("a", "B-X"), ("b", "I-X")]]
    assert found(result) == [(4, "error")]


def test_errors_name_their_line_and_drop_only_their_sentence() -> None:
    text = "a\tO\n\nb\tFOO\n\nc\n\nd\tx\tO\n\n\tB-X\n\ne\tB-X\n"
    result = read(text)
    assert rows(result) == [[("a", "O")], [("e", "B-X")]]
    assert found(result) == [(3, "error"), (5, "error"), (7, "error"), (9, "error")]
    messages = [problem.message for problem in result.problems]
    assert "'FOO'" in messages[0] and "No label column" in messages[1]
    assert "3 columns" in messages[2] and "empty token" in messages[3]


def test_inside_label_at_the_start_is_repaired_with_a_warning() -> None:
    result = read("a\tB-X\n\nb\tO\nc\tI-X\nd\tI-Y\n")
    assert result.scheme == Scheme.BIO
    assert rows(result)[1] == [("b", "O"), ("c", "B-X"), ("d", "B-Y")]
    assert found(result) == [(4, "warning"), (5, "warning")]
    assert result.error_count == 0


def test_iob1_is_no_fault() -> None:
    result = read("a\tI-X\nb\tI-X\nc\tB-X\nd\tO\n")
    assert result.scheme == Scheme.IOB1 and result.problem_count == 0
    assert [label for _, label in rows(result)[0]] == ["B-X", "I-X", "B-X", "O"]


def test_a_blank_token_is_left_out_unless_it_is_an_entity() -> None:
    result = read("a\tO\n\u00a0\tO\nb\tB-X\n\n\u00a0\tB-X\n")
    assert rows(result) == [[("a", "O"), ("b", "B-X")]]
    assert found(result) == [(5, "error"), (2, "warning")]


def test_control_characters_are_data_and_never_break_the_output() -> None:
    result = read("a\x01\u200b\x1bb\tB-X\nx\u2028y\x0bz\tO\n<b>&\tO\n")
    assert rows(result)[0] == [("a\x01\u200b\x1bb", "B-X"), ("x y z", "O"), ("<b>&", "O")]
    assert len(to_tsv(result.sentences).decode().splitlines()) == 4


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "# only a comment\n", "-DOCSTART- O\n"])
def test_no_sentences(text: str) -> None:
    result = read(text)
    assert found(result) == [(None, "error")]
    assert result.problems[0].message == "No sentences."


def test_not_utf8_names_line_and_offset() -> None:
    result = read_split("a.tsv", b"a\tO\nGr\xfc\xdfe\tO\n")
    assert found(result) == [(2, "error")]
    assert "0xfc at offset 6" in result.problems[0].message


def test_nul_bytes_are_no_text() -> None:
    result = read_split("a.tsv", b"a\tO\n\nb\0\tO\n")
    assert found(result) == [(3, "error")] and result.sentences == ()
    assert read_split("a.tsv", "a\tO\n".encode("utf-16")).error_count == 1


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_binary_is_reported_not_raised(name: str) -> None:
    content = bytes(range(1, 256)) * 20
    assert read_split(name, content).error_count == 1


def test_absurd_tokens_and_lines_give_short_messages() -> None:
    result = read(f"{'x' * 1001}\tO\n\n{'y' * 1000}\tO\n\nz\t{'L' * 100_000}\n")
    assert found(result) == [(1, "error"), (5, "error")]
    assert all(len(problem.message) < 200 for problem in result.problems)
    assert len(result.sentences) == 1


def test_a_huge_file_is_refused_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_FILE_BYTES", 3_000_000)
    result = read_split("a.tsv", b"a\tO\n" * 1_000_000)
    assert found(result) == [(None, "error")]
    assert "4 MB; a file may have 3 MB" in result.problems[0].message


def test_problems_are_counted_beyond_the_list_and_errors_come_first() -> None:
    warnings = "x\tB-X\n\n" + "a\tO\nb\tI-X\n\n" * 80
    result = read(warnings + "c\tFOO\n")
    assert result.problem_count == 81 and len(result.problems) == MAX_LISTED_PROBLEMS
    assert result.problems[0].severity == "error" and result.error_count == 1


words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)


@given(st.lists(st.lists(st.tuples(words, st.sampled_from(["O", "B-X"])), min_size=1)))
def test_written_json_survives_the_way_through_tsv(
    sentences: list[list[tuple[str, str]]],
) -> None:
    lines = [
        json.dumps({"tokens": [t for t, _ in s], "tags": [label for _, label in s]})
        for s in sentences
    ]
    first = read("\n".join(lines), "a.jsonl").sentences
    assume(not any(token.startswith("-DOCSTART-") for s in first for token in s.tokens))
    assert read_split("a.conll", to_tsv(first)).sentences == first


@given(st.binary(max_size=400), st.sampled_from(["a.tsv", "a.csv", "a.jsonl"]))
def test_whatever_comes_nothing_is_raised(content: bytes, name: str) -> None:
    result = read_split(name, content)
    assert result.sentences or result.error_count


# CSV


@pytest.mark.parametrize(
    "text",
    [
        'token,label,sentence_id\na,B-X,1\n",",O,1\nb,O,2\n',
        "sentence_id;token;label\r\n1;a;B-X\r\n1;,;O\r\n2;b;O\r\n",
        "sentence_id\ttoken\tlabel\n1\ta\tB-X\n1\t,\tO\n2\tb\tO\n",
        '"token","label"\na,B-X\n",",O\n\nb,O\n',
        'Sentence #,Word,POS,Tag\nSentence: 1,a,NN,B-X\n,",",X,O\nSentence: 2,b,X,O\n',
    ],
)
def test_csv_layouts(text: str) -> None:
    result = read(text, "train.csv")
    assert rows(result) == [[("a", "B-X"), (",", "O")], [("b", "O")]]
    assert result.problem_count == 0 and result.format == Format.CSV


def test_tsv_with_a_header_keeps_bare_quotes() -> None:
    result = read('token\tlabel\n"\tO\nb\tB-X\n', "train.tsv")
    assert rows(result) == [[('"', "O"), ("b", "B-X")]]


def test_csv_faults_name_their_line() -> None:
    result = read("token,label\na,O\nb\n\nc,FOO\n\nd,O\n", "a.csv")
    assert rows(result) == [[("d", "O")]]
    assert found(result) == [(3, "error"), (5, "error")]


def test_csv_line_numbers_count_line_breaks_inside_quotes() -> None:
    result = read('token,label\n"a\nb",O\nc,FOO\n', "a.csv")
    assert found(result) == [(4, "error")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,O\nb,O\n", 1),
        ('token,label\na,O\n"b,O\nc,O\n', 3),
        ("token,label\n\n" + "x" * 140_000, 3),
    ],
)
def test_csv_that_cannot_be_read(text: str, line: int) -> None:
    assert found(read(text, "a.csv")) == [(line, "error")]


# Real corpora


@pytest.mark.parametrize(
    ("path", "sentences", "tokens", "entities"),
    [
        ("ncbi-disease/train.tsv", 5424, 135_701, 5134),
        ("ncbi-disease/devel.tsv", 923, 23_969, 787),
        ("ncbi-disease/test.tsv", 940, 24_497, 960),
        ("wnut17/wnut17train.conll", 3394, 62_730, 1975),
        ("wnut17/emerging.dev.conll", 1009, 15_733, 836),
        ("wnut17/emerging.test.annotated", 1287, 23_394, 1079),
    ],
)
def test_real_corpora(path: str, sentences: int, tokens: int, entities: int) -> None:
    file = CORPORA / path
    if not file.exists():
        pytest.skip("the public corpora are not here")
    result = read_split(file.name, file.read_bytes())
    assert result.problem_count == 0 and result.scheme == Scheme.BIO
    labels = [label for sentence in result.sentences for label in sentence.labels]
    counted = (len(result.sentences), len(labels), sum(label[0] == "B" for label in labels))
    assert counted == (sentences, tokens, entities)


def test_a_sentence_has_one_label_for_each_token() -> None:
    with pytest.raises(ValueError, match="1 tokens but 2 labels"):
        Sentence(tokens=("a",), labels=("O", "O"))
