"""Labelled sentences and what was wrong with them: the values that every reader gives.

Labels of a `Sentence` are BIO: `O`, or `B-` / `I-` and the entity type.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

Severity = Literal["error", "warning"]

MAX_LISTED_PROBLEMS = 50
MAX_QUOTED_CHARACTERS = 40


@dataclass(slots=True)
class RawSentence:
    """Columns of one sentence as read; `lines` counts from 1."""

    tokens: list[str] = field(default_factory=list[str])
    labels: list[str] = field(default_factory=list[str])
    lines: list[int] = field(default_factory=list[int])
    broken: bool = False

    def add(self, token: str, label: str, line: int) -> None:
        self.tokens.append(token)
        self.labels.append(label)
        self.lines.append(line)

    @property
    def usable(self) -> bool:
        return bool(self.tokens) and not self.broken


class Sentence(BaseModel):
    """Tokens and their BIO labels, one label for each token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[str, ...]
    labels: tuple[str, ...]

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.tokens) != len(self.labels):
            raise ValueError(f"{len(self.tokens)} tokens but {len(self.labels)} labels")
        return self


class Span(BaseModel):
    """An entity as token positions: `start` inclusive, `end` exclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    end: int
    label: str


class Problem(BaseModel):
    """One finding; `line` counts from 1 and is None where it concerns the whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int | None
    message: str
    severity: Severity


class ProblemLog:
    """Counts every problem and keeps the first 50 of each severity."""

    def __init__(self, file: str):
        self.file = file
        self._listed: dict[Severity, list[Problem]] = {"error": [], "warning": []}
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}

    def error(self, line: int | None, message: str) -> None:
        self._add(Problem(file=self.file, line=line, message=message, severity="error"))

    def warning(self, line: int | None, message: str) -> None:
        self._add(Problem(file=self.file, line=line, message=message, severity="warning"))

    def absorb(self, problems: Iterable[Problem], count: int, error_count: int) -> None:
        """Adds what another log listed, with its full counts."""
        for problem in problems:
            self._keep(problem)
        self._counts["error"] += error_count
        self._counts["warning"] += count - error_count

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    @property
    def error_count(self) -> int:
        return self._counts["error"]

    def listed(self) -> tuple[Problem, ...]:
        """At most 50: errors before warnings, each in order of file and line."""
        return tuple((self._listed["error"] + self._listed["warning"])[:MAX_LISTED_PROBLEMS])

    def in_line_order(self) -> tuple[Problem, ...]:
        """As `listed`, for one file that was read in several passes."""
        return tuple(sorted(self.listed(), key=lambda p: (p.severity, p.line or 0)))

    def _add(self, problem: Problem) -> None:
        self._counts[problem.severity] += 1
        self._keep(problem)

    def _keep(self, problem: Problem) -> None:
        kept = self._listed[problem.severity]
        if len(kept) < MAX_LISTED_PROBLEMS:
            kept.append(problem)


def entity_spans(labels: Sequence[str]) -> tuple[Span, ...]:
    """The entities of valid BIO labels, from left to right."""
    starts = [i for i, label in enumerate(labels) if label.startswith("B-")]
    return tuple(Span(start=i, end=_end_of(labels, i), label=labels[i][2:]) for i in starts)


def to_tsv(sentences: Iterable[Sentence]) -> bytes:
    """UTF-8, `token<TAB>label` lines, one empty line after each sentence."""
    return "".join(_block(sentence) for sentence in sentences).encode()


def quote(text: str) -> str:
    """A short, printable quotation of somebody's data for a message."""
    if len(text) > MAX_QUOTED_CHARACTERS:
        text = f"{text[:MAX_QUOTED_CHARACTERS]}…"
    return repr(text)


def _end_of(labels: Sequence[str], start: int) -> int:
    end = start + 1
    while end < len(labels) and labels[end].startswith("I-"):
        end += 1
    return end


def _block(sentence: Sentence) -> str:
    rows = zip(sentence.tokens, sentence.labels, strict=True)
    return "".join(f"{token}\t{label}\n" for token, label in rows) + "\n"
