"""The terminal: tables and lines for people, JSON for programs, errors to stderr. Text is data here:
no markup in it is interpreted, and control characters do not reach the terminal."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlops.money import parse_usd, show_usd

PIPE_COLUMNS = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def json_out(value: Any) -> None:
    """Indented JSON; pydantic models and sequences of them as they cross the wire."""
    sys.stdout.write(json.dumps(_wire(value), ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()  # a closed pipe is noticed here, not when the interpreter ends


def json_line(value: Any) -> None:
    """One line of JSON, on its way at once."""
    sys.stdout.write(json.dumps(_wire(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def line(text: str = "", style: str = "") -> None:
    """Text as it is, on its way at once."""
    _console(sys.stdout).print(Text(plain(text), style=style), soft_wrap=True)
    sys.stdout.flush()


def note(text: str, style: str = "") -> None:
    """A word to the person beside the output proper, on stderr."""
    _console(sys.stderr).print(Text(plain(text), style=style), soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Numbers and money to the right; `empty` is what to say when there are no rows."""
    found = [[_cell(value) for value in row] for row in rows]
    if not found:
        line(empty)
        return
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, title in enumerate(columns):
        right = all(_is_figure(row[position]) for row in found)
        shown.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in found:
        shown.add_row(*(Text(cell) for cell in row))
    _console(sys.stdout).print(shown)
    sys.stdout.flush()


def facts(values: Mapping[str, object]) -> None:
    """Names and values under each other; what is None or empty is left out."""
    known = {name: _cell(value) for name, value in values.items() if value not in (None, "", ())}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        line(f"{name:<{width}}  {value}")


def complain(message: str, *ways: str) -> None:
    """What is wrong, then each way out, on stderr."""
    note(message, "bold")
    for way in ways:
        note(way)


def usd(amount: str | None) -> str:
    """A decimal string as people read money; "–" where there is none."""
    return "–" if amount is None else show_usd(parse_usd(amount))


def plain(text: str) -> str:
    """Without control and text direction characters."""
    return _CONTROL.sub("\ufffd", text)


def _wire(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_wire(item) for item in value]
    return value


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(str(value))


def _is_figure(cell: str) -> bool:
    return cell == "–" or bool(re.fullmatch(r"[-+$]?[\d.,]+( ?[%sh]| MB)?", cell))


def _console(file: Any) -> Console:
    """Wide where nobody looks, so that a pipe gets whole lines; links and markup stay text."""
    width = None if file.isatty() else PIPE_COLUMNS
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)
