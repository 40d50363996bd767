"""Text in columns (CoNLL, TSV, CSV) in, raw sentences with line numbers out.

Labels are as written (any scheme). Sentences with a fault are reported and left out.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlops.schemes import simple_label
from mlops.sentences import ProblemLog, RawSentence, quote

TOKEN_COLUMNS = ("token", "word")
LABEL_COLUMNS = ("label", "tag", "ner_tag")
SENTENCE_COLUMNS = ("sentence_id", "sent_id", "sentence", "sentence #")


class _Layout(NamedTuple):
    delimiter: str
    columns: int


def read_conll(text: str, log: ProblemLog) -> Iterator[RawSentence]:
    """Token first, label last; tab or spaces between, as the first token line has it."""
    layout: _Layout | None = None
    current = RawSentence()
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if current.usable:
                yield current
            current = RawSentence()
            continue
        if not current.tokens and _is_comment(line, layout):
            continue
        delimiter = layout.delimiter if layout else _delimiter(line)
        cells = _cells(line, delimiter)
        if layout is None and len(cells) > 1:
            layout = _Layout(delimiter, len(cells))
        fault = _row_fault(cells, layout)
        if fault:
            log.error(number, fault)
            current.broken = True
            continue
        current.add(cells[0], cells[-1], number)
    if current.usable:
        yield current


def read_csv(text: str, log: ProblemLog) -> Iterator[RawSentence]:
    """A header names token, label and maybe sentence_id; else empty rows part sentences."""
    header = csv_header(text.partition("\n")[0])
    if header is None:
        log.error(1, "The first line must name the columns: token,label[,sentence_id].")
        return
    quoting = csv.QUOTE_NONE if header.delimiter == "\t" else csv.QUOTE_MINIMAL
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=header.delimiter, quoting=quoting, strict=True
    )
    line = 1
    current, sentence_id = RawSentence(), ""
    try:
        for row in rows:
            line, row_line = rows.line_num + 1, line
            if row_line == 1:
                continue
            row_id = _row_id(row, header) or sentence_id
            if _is_blank(row) or row_id != sentence_id:
                if current.usable:
                    yield current
                current, sentence_id = RawSentence(), row_id
            _add_row(current, row, row_line, header, log)
    except csv.Error as error:
        log.error(line, f"Not valid CSV: {error}.")
        return
    if current.usable:
        yield current


class CsvHeader(NamedTuple):
    """Positions of the columns that matter; `sentence` is None when there is none."""

    delimiter: str
    columns: int
    token: int
    label: int
    sentence: int | None


def csv_header(first_line: str) -> CsvHeader | None:
    """The header's layout; None when no delimiter makes it name a token and a label column."""
    for delimiter in ",;\t":
        names = [name.strip().strip('"').lower() for name in first_line.split(delimiter)]
        token, label = _position(names, TOKEN_COLUMNS), _position(names, LABEL_COLUMNS)
        if token is not None and label is not None:
            sentence = _position(names, SENTENCE_COLUMNS)
            return CsvHeader(delimiter, len(names), token, label, sentence)
    return None


def _is_comment(line: str, layout: _Layout | None) -> bool:
    """`# id = 3` before a sentence, but not a token line whose token starts with `#`."""
    if not line.startswith("#"):
        return False
    delimiter = layout.delimiter if layout else _delimiter(line)
    cells = _cells(line, delimiter)
    if layout and len(cells) != layout.columns:
        return True
    tabbed = layout is not None and delimiter == "\t"
    return not tabbed and (len(cells) < 2 or simple_label(cells[-1]) is None)


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line.rstrip() else " "


def _cells(line: str, delimiter: str) -> list[str]:
    line = line.rstrip(" \t\n")
    if delimiter == "\t":
        return line.split("\t")
    return [cell for cell in line.replace("\t", " ").split(" ") if cell]


def _row_fault(cells: Sequence[str], layout: _Layout | None) -> str | None:
    if len(cells) < 2 or layout is None:
        return f"No label column: {quote(cells[0] if cells else '')}."
    if len(cells) != layout.columns:
        return f"{len(cells)} columns, but the first token line has {layout.columns}."
    return None


def _position(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _row_id(row: Sequence[str], header: CsvHeader) -> str:
    if header.sentence is None or header.sentence >= len(row):
        return ""
    return row[header.sentence].strip()


def _is_blank(row: Sequence[str]) -> bool:
    return not any(cell.strip() for cell in row)


def _add_row(
    sentence: RawSentence, row: Sequence[str], line: int, header: CsvHeader, log: ProblemLog
) -> None:
    if _is_blank(row):
        return
    if len(row) != header.columns:
        log.error(line, f"{len(row)} columns, but the header has {header.columns}.")
        sentence.broken = True
        return
    sentence.add(row[header.token], row[header.label], line)
