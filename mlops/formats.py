"""The bytes of one data file in, clean BIO sentences and every problem with its line out.

CoNLL / TSV, CSV and JSON lines, UTF-8. Nothing is raised for bad data.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.columns import csv_header, read_conll, read_csv
from mlops.records import read_jsonl
from mlops.schemes import Scheme, detect, simple_label, to_bio
from mlops.sentences import Problem, ProblemLog, RawSentence, Sentence, quote

MAX_FILE_BYTES = 200_000_000
MAX_TOKEN_CHARACTERS = 1000
LONG_SENTENCE_TOKENS = 1000

# A tab or anything that Python, a trainer or an editor may take for the end of a line.
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


class Format(StrEnum):
    CONLL = "CoNLL"
    CSV = "CSV"
    JSONL = "JSONL"


class SplitRead(BaseModel):
    """What one file gave; sentences with an error are left out, `problems` lists at most 50."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    format: Format
    scheme: Scheme
    sentences: tuple[Sentence, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    error_count: int


def read_split(name: str, content: bytes) -> SplitRead:
    """Reads one file; the format follows its name, a TSV with a header is read as CSV."""
    log = ProblemLog(name)
    text = _decode(content, log)
    form = _format(name, text)
    reader = {Format.CONLL: read_conll, Format.CSV: read_csv, Format.JSONL: read_jsonl}[form]
    raw = _labelled(list(reader(text, log)), log) if text else []
    scheme = detect(sentence.labels for sentence in raw)
    tokens = _PlainTokens()
    clean = (_clean(sentence, scheme, tokens, log) for sentence in raw)
    sentences = tuple(sentence for sentence in clean if sentence is not None)
    if not sentences and log.error_count == 0:
        log.error(None, "No sentences.")
    return SplitRead(
        file=name,
        format=form,
        scheme=scheme,
        sentences=sentences,
        problems=log.in_line_order(),
        problem_count=log.count,
        error_count=log.error_count,
    )


def _decode(content: bytes, log: ProblemLog) -> str:
    """The text without its byte order mark; empty when an error was reported."""
    if len(content) > MAX_FILE_BYTES:
        size, limit = len(content) // 1_000_000, MAX_FILE_BYTES // 1_000_000
        log.error(None, f"{size} MB; a file may have {limit} MB at most. Split it into several.")
        return ""
    zero = content.find(b"\0")
    if zero >= 0:
        log.error(_line_at(content, zero), f"A NUL byte at offset {zero}: no text in UTF-8.")
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        message = f"Not UTF-8: byte 0x{byte:02x} at offset {error.start}. Save it as UTF-8."
        log.error(_line_at(content, error.start), message)
        return ""


def _line_at(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _format(name: str, text: str) -> Format:
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("jsonl", "ndjson", "json"):
        return Format.JSONL
    if suffix == "csv":
        return Format.CSV
    header = csv_header(text.partition("\n")[0]) if suffix == "tsv" else None
    return Format.CSV if header and header.delimiter == "\t" else Format.CONLL


def _labelled(raw: Sequence[RawSentence], log: ProblemLog) -> list[RawSentence]:
    """The sentences whose labels all have a known form, cut to their first label."""
    known: dict[str, str | None] = {}
    usable: list[RawSentence] = []
    for sentence in raw:
        for position, label in enumerate(sentence.labels):
            if label not in known:
                known[label] = simple_label(label)
            simple = known[label]
            if simple is None:
                sentence.broken = True
                log.error(sentence.lines[position], _label_fault(label))
            else:
                sentence.labels[position] = simple
        if not sentence.broken:
            usable.append(sentence)
    return usable


def _label_fault(label: str) -> str:
    if not label.strip():
        return "A token without a label."
    return f"Unknown label {quote(label)}: expected O, or B- or I- and a type, such as B-PER."


class _PlainTokens(dict[str, str]):
    """Stripped tokens by their spelling, shared to save memory; KeyError for odd ones."""

    def __missing__(self, token: str) -> str:
        plain = token.strip()
        odd = _BREAKS.search(plain) or _NOT_TEXT.search(plain)
        if odd or not plain or len(plain) > MAX_TOKEN_CHARACTERS:
            raise KeyError(token)
        self[token] = plain
        return plain


def _clean(
    raw: RawSentence, scheme: Scheme, plain: _PlainTokens, log: ProblemLog
) -> Sentence | None:
    """The sentence in BIO with printable-safe tokens; None when an error was reported."""
    if len(raw.tokens) > LONG_SENTENCE_TOKENS:
        question = "is a blank line between sentences missing?"
        log.warning(raw.lines[0], f"A sentence of {len(raw.tokens)} tokens: {question}")
    labels, repaired = to_bio(raw.labels)
    for position in repaired if scheme != Scheme.IOB1 else ():
        old, new = raw.labels[position], labels[position]
        log.warning(raw.lines[position], f"{quote(old)} starts an entity; read as {quote(new)}.")
    try:
        return Sentence(tokens=tuple(plain[t] for t in raw.tokens), labels=tuple(labels))
    except KeyError:
        return _mend(raw, labels, log)


def _mend(raw: RawSentence, labels: Sequence[str], log: ProblemLog) -> Sentence | None:
    """Reports each odd token; drops blanks outside entities, breaks inside become a space."""
    errors_before = log.error_count
    kept: list[tuple[str, str]] = []
    for token, label, line in zip(raw.tokens, labels, raw.lines, strict=True):
        plain = token.strip()
        fault = _token_fault(token, plain, label)
        if fault:
            log.error(line, fault)
        elif not plain:
            log.warning(line, f"Token {quote(token)} is white space; left out.")
        else:
            if _BREAKS.search(plain):
                log.warning(line, f"Tab or line break in {quote(plain)}; replaced by a space.")
            kept.append((_BREAKS.sub(" ", plain), label))
    if log.error_count > errors_before or not kept:
        return None
    return Sentence(tokens=tuple(t for t, _ in kept), labels=tuple(label for _, label in kept))


def _token_fault(token: str, plain: str, label: str) -> str | None:
    if not token:
        return f"An empty token with the label {quote(label)}."
    if not plain and label != "O":
        return f"A token of white space with the label {quote(label)}."
    if len(plain) > MAX_TOKEN_CHARACTERS:
        return f"A token of {len(plain)} characters; at most {MAX_TOKEN_CHARACTERS} make sense."
    if _NOT_TEXT.search(plain):
        return f"Token {quote(plain)} holds a character that is no text."
    return None
