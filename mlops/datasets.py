"""The dataset record that every screen shows, how a name finds it, and how raw files become it.

`prepare` takes uploaded bytes and gives BIO splits, statistics, problems and a fingerprint.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mlops.errors import RequestError, explain_validation
from mlops.formats import read_split
from mlops.names import NAME_PATTERN
from mlops.sentences import Problem, ProblemLog, Sentence, Span, entity_spans, to_tsv
from mlops.splits import SPLITS, Assignment, assign_splits, carve, sentence_key

MIN_TRAIN_SENTENCES = 20
MAX_ENTITY_TYPES = 200


class DatasetStatus(StrEnum):
    RAW = "RAW"
    PREPARING = "PREPARING"
    PREPARED = "PREPARED"
    INVALID = "INVALID"


class SplitStats(BaseModel):
    """Counts of one split; `entities` by entity type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sentences: int
    tokens: int
    entities: dict[str, int]


class Metadata(BaseModel):
    """What a person or a sample says about a dataset; unknown fields of the file are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = Field(default="", max_length=200)
    synthetic: bool = False
    source: str = Field(default="", max_length=2000)
    license: str = Field(default="", max_length=200)
    language: str | None = Field(default=None, max_length=35)
    note: str = Field(default="", max_length=2000)


class DatasetFacts(BaseModel):
    """What is known of a dataset wherever its files lie."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    title: str
    task: Literal["token-classification"] = "token-classification"
    synthetic: bool = Field(default=False, description="false: not marked as synthetic")
    source: str = ""
    license: str = ""
    language: str | None = None
    note: str = ""
    status: DatasetStatus
    splits: dict[str, SplitStats] = {}
    labels: tuple[str, ...] = Field(default=(), description="entity types, sorted")
    fingerprint: str = Field(
        default="", description="sha256 of the prepared splits, hex; empty if none"
    )
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0


class Dataset(DatasetFacts):
    """The stored record."""

    raw_uri: str
    prepared_uri: str | None = None
    updated_at: AwareDatetime


class Prepared(DatasetFacts):
    """The outcome of `prepare`; `files` is empty when the data is invalid."""

    files: dict[str, bytes]

    def to_dataset(
        self, raw_uri: str, prepared_uri: str | None, updated_at: AwareDatetime
    ) -> Dataset:
        facts = {field: getattr(self, field) for field in DatasetFacts.model_fields}
        return Dataset(**facts, raw_uri=raw_uri, prepared_uri=prepared_uri, updated_at=updated_at)


class PreviewRow(BaseModel):
    """One sentence for a screen: its tokens, and its entities as token positions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[str, ...]
    spans: tuple[Span, ...]


def preview(sentences: Sequence[Sentence], limit: int) -> tuple[PreviewRow, ...]:
    return tuple(
        PreviewRow(tokens=s.tokens, spans=entity_spans(s.labels)) for s in sentences[:limit]
    )


def read_metadata(content: bytes) -> Metadata:
    """The metadata.json beside raw files; raises RequestError that says what is wrong in it."""
    try:
        return Metadata.model_validate_json(content)
    except ValidationError as error:
        message = f"metadata.json: {explain_validation(error)}"
        raise RequestError("bad_metadata", message) from error


def prepare(name: str, files: Mapping[str, bytes], metadata: Metadata) -> Prepared:
    """Validates and normalises; the same files give the same bytes and fingerprint.

    Bad data raises nothing: the status is INVALID and the problems say why.
    """
    log = ProblemLog("dataset")
    splits = carve(_read_splits(assign_splits(files), files, log))
    stats = {split: _stats(sentences) for split, sentences in splits.items()}
    labels = tuple(sorted({label for s in stats.values() for label in s.entities}))
    _check_splits(stats, labels, log)
    _check_leakage(splits, log)
    valid = log.error_count == 0
    tsv = {f"{split}.tsv": to_tsv(splits[split]) for split in SPLITS} if valid else {}
    facts = DatasetFacts(
        name=name,
        title=metadata.title or name,
        **metadata.model_dump(exclude={"title"}),
        status=DatasetStatus.PREPARED if valid else DatasetStatus.INVALID,
        splits=stats,
        labels=labels,
        fingerprint=_fingerprint(tsv) if valid else "",
        problems=log.listed(),
        problem_count=log.count,
    )
    described = tsv | _descriptions(facts) if valid else {}
    return Prepared(**dict(facts), files=described)


def _read_splits(
    assignment: Assignment, files: Mapping[str, bytes], log: ProblemLog
) -> dict[str, list[Sentence]]:
    """Sentences by split, of several files in order of their names."""
    if not assignment.train:
        found = ", ".join((assignment.validation + assignment.test)[:5]) or "no data file"
        log.error(None, f"No training split: found {found}. Name a file train.tsv, for example.")
    for name in assignment.unused:
        log.warning(None, f"{name} is not used: its name says neither train, dev nor test.")
    sentences: dict[str, list[Sentence]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for name in assignment.of(split):
            read = read_split(name, files[name])
            log.absorb(read.problems, read.problem_count, read.error_count)
            sentences[split].extend(read.sentences)
    return sentences


def _stats(sentences: Sequence[Sentence]) -> SplitStats:
    types = Counter(label[2:] for s in sentences for label in s.labels if label.startswith("B-"))
    return SplitStats(
        sentences=len(sentences),
        tokens=sum(len(s.tokens) for s in sentences),
        entities=dict(sorted(types.most_common(MAX_ENTITY_TYPES + 1))),
    )


def _check_splits(stats: Mapping[str, SplitStats], labels: Sequence[str], log: ProblemLog) -> None:
    train = stats["train"]
    if train.sentences < MIN_TRAIN_SENTENCES:
        needed = f"at least {MIN_TRAIN_SENTENCES} are needed"
        log.error(None, f"{train.sentences} training sentences; {needed}.")
    elif not train.entities:
        log.error(None, "No entity in the training split: every label is O.")
    if len(labels) > MAX_ENTITY_TYPES:
        log.error(None, f"More than {MAX_ENTITY_TYPES} entity types: is the last column a label?")
        return
    for split in ("validation", "test"):
        unseen = sorted(set(stats[split].entities) - set(train.entities))
        if unseen:
            log.warning(None, f"Types in {split} but not in train: {', '.join(unseen[:10])}.")
        if not stats[split].entities:
            log.warning(None, f"No entity in the {split} split: F1 cannot be measured there.")


def _check_leakage(splits: Mapping[str, Sequence[Sentence]], log: ProblemLog) -> None:
    """Equal sentences in train and another split make its score look better than it is."""
    train = {sentence_key(sentence) for sentence in splits["train"]}
    for split in ("validation", "test"):
        total = len(splits[split])
        shared = sum(sentence_key(sentence) in train for sentence in splits[split])
        if shared:
            share = f"{shared} of {total} {split} sentences ({shared / total:.1%})"
            log.warning(None, f"{share} also occur in train; the score there may flatter.")


def _fingerprint(tsv: Mapping[str, bytes]) -> str:
    lines = (f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(tsv.items()))
    return sha256("".join(lines).encode()).hexdigest()


def _descriptions(facts: DatasetFacts) -> dict[str, bytes]:
    """manifest.json (what the splits are) and label_map.json (BIO labels by number)."""
    manifest = facts.model_dump(
        mode="json", exclude={"status", "splits", "problems", "problem_count"}
    )
    manifest["counts"] = {split: facts.splits[split].model_dump() for split in SPLITS}
    bio = ["O", *(f"{prefix}-{label}" for label in facts.labels for prefix in "BI")]
    label_map = {
        "id2label": {str(number): label for number, label in enumerate(bio)},
        "label2id": {label: number for number, label in enumerate(bio)},
    }
    return {"manifest.json": _json(manifest), "label_map.json": _json(label_map)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
