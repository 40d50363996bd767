"""Every scheme becomes the same BIO, whole files through `read_split` included."""

from hypothesis import given
from hypothesis import strategies as st

from mlops.formats import read_split
from mlops.schemes import Scheme, detect, simple_label, to_bio
from mlops.sentences import entity_spans

Chunk = tuple[str | None, int]

chunks = st.lists(
    st.tuples(st.sampled_from([None, "PER", "LOC", "B-x"]), st.integers(1, 4)), max_size=8
)
documents = st.lists(chunks.filter(bool), min_size=1, max_size=6)


def bio(sentence: list[Chunk]) -> list[str]:
    return [
        "O" if kind is None else f"{'I' if i else 'B'}-{kind}"
        for kind, size in sentence
        for i in range(size)
    ]


def unit_scheme(sentence: list[Chunk], end: str, single: str) -> list[str]:
    labels: list[str] = []
    for kind, size in sentence:
        if kind is None:
            labels += ["O"] * size
            continue
        prefixes = [single] if size == 1 else ["B", *["I"] * (size - 2), end]
        labels += [f"{prefix}-{kind}" for prefix in prefixes]
    return labels


def iob1(sentence: list[Chunk]) -> list[str]:
    labels: list[str] = []
    before = None
    for kind, size in sentence:
        if kind is None:
            labels += ["O"] * size
        else:
            first = "B" if kind == before else "I"
            labels += [f"{first}-{kind}", *[f"I-{kind}"] * (size - 1)]
        before = kind
    return labels


def conll(sentences: list[list[str]]) -> bytes:
    return "\n".join("".join(f"w\t{label}\n" for label in s) for s in sentences).encode()


def read_labels(sentences: list[list[str]]) -> list[list[str]]:
    read = read_split("train.tsv", conll(sentences))
    assert read.problem_count == 0
    return [list(sentence.labels) for sentence in read.sentences]


@given(documents)
def test_bio_stays_as_it_is(document: list[list[Chunk]]) -> None:
    wanted = [bio(sentence) for sentence in document]
    assert read_labels(wanted) == wanted


@given(documents)
def test_bioes_becomes_bio(document: list[list[Chunk]]) -> None:
    written = [unit_scheme(sentence, "E", "S") for sentence in document]
    assert read_labels(written) == [bio(sentence) for sentence in document]


@given(documents)
def test_bilou_becomes_bio(document: list[list[Chunk]]) -> None:
    written = [unit_scheme(sentence, "L", "U") for sentence in document]
    assert read_labels(written) == [bio(sentence) for sentence in document]


@given(documents)
def test_iob1_becomes_bio(document: list[list[Chunk]]) -> None:
    written = [iob1(sentence) for sentence in document]
    assert read_labels(written) == [bio(sentence) for sentence in document]


@given(chunks)
def test_spans_are_the_entities_that_were_written(sentence: list[Chunk]) -> None:
    starts = [sum(size for _, size in sentence[:i]) for i in range(len(sentence))]
    wanted = [(s, s + n, k) for s, (k, n) in zip(starts, sentence, strict=True) if k]
    assert [(e.start, e.end, e.label) for e in entity_spans(bio(sentence))] == wanted


@given(st.lists(st.sampled_from([f"{p}-{t}" for p in "BIESLU" for t in "XY"] + ["O"])))
def test_any_mixture_gives_valid_bio_of_the_same_types(labels: list[str]) -> None:
    result, _ = to_bio(labels)
    assert [label[2:] for label in result] == [label[2:] for label in labels]
    assert to_bio(result) == (result, [])


def test_detection() -> None:
    assert detect([["O", "B-X", "I-X"]]) == Scheme.BIO
    assert detect([["O", "I-X", "B-X"]]) == Scheme.IOB1
    assert detect([["O", "I-X"], ["B-X"]]) == Scheme.BIO
    assert detect([["S-X", "O"]]) == Scheme.BIOES
    assert detect([["B-X", "L-X"]]) == Scheme.BILOU
    assert detect([["O"], []]) == Scheme.BIO


def test_an_inside_label_after_a_closed_entity_is_a_new_one() -> None:
    assert to_bio(["S-X", "I-X", "E-X"]) == (["B-X", "B-X", "I-X"], [1])


def test_label_forms() -> None:
    assert simple_label("B-person,B-group") == "B-person"
    assert simple_label("I-creative-work") == "I-creative-work"
    assert simple_label(" O ") == "O"
    for unknown in ("FOO", "o", "0", "", "B-", "B_PER", "b-PER", "B-a b", "B-\x01", "X-PER"):
        assert simple_label(unknown) is None
