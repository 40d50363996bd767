"""Two JSON values in, every place where they differ out, with the old and the new value; and their collection."""

from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

_SHOWN_CHARACTERS = 200
_NOTHING = "(nothing)"


class Difference(BaseModel):
    """One value that is not the same again; `seq` is the event that it was decided in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    what: str
    path: str
    stored: str
    replayed: str


def differences(seq: int, what: str, stored: Any, replayed: Any) -> list[Difference]:
    """Empty when both are equal; numbers of another type differ."""
    return [
        Difference(seq=seq, what=what, path=path, stored=_show(old), replayed=_show(new))
        for path, old, new in _walk("", stored, replayed)
    ]


class Findings:
    """What a replay has come to so far: counts by kind, what could not be replayed, differences."""

    def __init__(self) -> None:
        self.checked: dict[str, int] = {}
        self.skipped: list[str] = []
        self.differences: list[Difference] = []

    def compare(self, kind: str, seq: int, what: str, stored: Any, replayed: Any) -> None:
        """Counts a comparison of two JSON values, and keeps where they differ."""
        self.checked[kind] = self.checked.get(kind, 0) + 1
        self.differences += differences(seq, what, stored, replayed)

    def skip(self, what: str, why: str) -> None:
        self.skipped.append(f"{what}: {why}")


_MISSING = object()


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        left, right = cast(dict[str, Any], old), cast(dict[str, Any], new)
        for name in sorted({*left, *right}):
            inner = f"{path}.{name}" if path else name
            yield from _walk(inner, left.get(name, _MISSING), right.get(name, _MISSING))
        return
    if isinstance(old, list) and isinstance(new, list):
        first, second = cast(list[Any], old), cast(list[Any], new)
        for place in range(max(len(first), len(second))):
            ends = (part[place] if place < len(part) else _MISSING for part in (first, second))
            yield from _walk(f"{path}[{place}]", *ends)
        return
    if type(cast(Any, old)) is not type(new) or old != new:
        yield path, old, new


def _show(value: Any) -> str:
    if value is _MISSING:
        return _NOTHING
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
