"""Evaluations become printed metric lines and the files of the model folder.

Names that come from data are printed as one word and written as code spans, never as markup.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner_data import Corpus, Sentence
from ner_scores import Evaluation, Score

TIME_SHORT = "max_training_seconds"


@dataclass(frozen=True)
class Outcome:
    corpus: Corpus
    engine: str
    hyperparameters: dict[str, Any]
    validation: Evaluation
    test: Evaluation
    test_f1_interval: tuple[float, float]
    """Lower and upper end, 95 %."""
    iterations: int
    stopped_early: bool
    """There was no time for all epochs that were asked for."""
    train_seconds: float
    total_seconds: float


def validation_line(evaluation: Evaluation) -> str:
    if not evaluation.total.is_measured:
        return _unmeasured("validation")
    return f"{_numbers('eval', evaluation.total)} eval_accuracy={evaluation.accuracy:.6f}"


def test_lines(evaluation: Evaluation, interval: tuple[float, float]) -> Iterator[str]:
    """The test line with its interval, then one line per entity type that the split has."""
    low, high = interval
    if not evaluation.total.is_measured:
        yield _unmeasured("test")
        return
    yield (
        f"{_numbers('test', evaluation.total)} test_f1_low={low:.6f} test_f1_high={high:.6f} "
        f"test_accuracy={evaluation.accuracy:.6f}"
    )
    for kind, score in evaluation.types.items():
        if score.is_measured:
            numbers = _numbers("test_type", score)
            yield f"type={one_word(kind)} {numbers} test_type_support={score.gold}"


def one_word(text: str) -> str:
    return "_".join(text.split())


def write_label_map(path: Path, corpus: Corpus) -> None:
    labels = ["O"]
    for kind in sorted(corpus.types("train")):
        labels += [f"B-{kind}", f"I-{kind}"]
    _write_json(path, {label: index for index, label in enumerate(labels)})


def write_predictions(
    path: Path, sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]]
) -> None:
    """token, gold, predicted; a blank line ends a sentence. The test F1 follows from this file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for sentence, labels in zip(sentences, predicted, strict=True):
            for row in zip(sentence.tokens, sentence.labels, labels, strict=True):
                file.write("\t".join(row) + "\n")
            file.write("\n")


def write_metrics(path: Path, outcome: Outcome) -> None:
    """A score that was not measured is null."""
    measured = outcome.test.total.is_measured
    low, high = outcome.test_f1_interval if measured else (None, None)
    accuracy = outcome.test.accuracy if measured else None
    interval = {"f1_low": low, "f1_high": high, "accuracy": accuracy}
    _write_json(
        path,
        {
            "dataset": outcome.corpus.name,
            "dataset_fingerprint": outcome.corpus.fingerprint,
            "synthetic": outcome.corpus.synthetic,
            "engine": outcome.engine,
            "hyperparameters": outcome.hyperparameters,
            "iterations": outcome.iterations,
            "stopped_early": TIME_SHORT if outcome.stopped_early else None,
            "validation": _scores(outcome.validation.total),
            "test": {**_scores(outcome.test.total), **interval},
            "test_types": {kind: _scores(score) for kind, score in outcome.test.types.items()},
            "train_seconds": round(outcome.train_seconds, 3),
            "total_seconds": round(outcome.total_seconds, 3),
        },
    )


def write_model_card(path: Path, outcome: Outcome) -> None:
    corpus = outcome.corpus
    sizes = ", ".join(f"{split} {len(rows)}" for split, rows in corpus.splits.items())
    path.write_text(
        f"""# Named entity recognition on {_code(corpus.name)}

A linear-chain conditional random field (engine {_code(outcome.engine)},
algorithm {_code(outcome.hyperparameters["algorithm"])}) over word, shape, affix and neighbour features. It labels tokens with BIO.

## Data
{_code(corpus.name)}, licence {_code(corpus.license)}. Sentences: {sizes}.
{_SYNTHETIC if corpus.synthetic else "Supplied by a person; not marked as synthetic."}

## Test scores (entity level)
{_test_scores(outcome)}

## How to load
`pycrfsuite.Tagger().open("model.crfsuite")`, then `tag(featurize(tokens))` with `featurize` of
`ner_features.py` from the training archive. Input is tokenised text.

## Limits
{_short_of_time(outcome)}Measured on one split of one dataset with one seed; other text will score differently. Words unlike
those of the train split are found less often. Not for decisions about people without review.
""",
        encoding="utf-8",
    )


_SYNTHETIC = (
    "**Synthetic data**: made by a seeded generator. The scores say nothing about real text."
)


def _short_of_time(outcome: Outcome) -> str:
    if not outcome.stopped_early:
        return ""
    wanted = outcome.hyperparameters["epochs"]
    return f"Trained for {outcome.iterations} of {wanted} iterations: the time bought no more.\n"


def _test_scores(outcome: Outcome) -> str:
    total = outcome.test.total
    if not total.is_measured:
        return "Not measured: the test split has no entities."
    low, high = outcome.test_f1_interval
    types = "\n".join(_type_row(kind, score) for kind, score in outcome.test.types.items())
    return f"""F1 **{total.f1:.4f}**, 95 % bootstrap interval {low:.4f} to {high:.4f};
precision {total.precision:.4f}, recall {total.recall:.4f}; {total.gold} entities.

| type | F1 | precision | recall | entities |
|---|---|---|---|---|
{types}"""


def _type_row(kind: str, score: Score) -> str:
    if not score.is_measured:
        return f"| {_code(kind)} | – | – | – | 0 |"
    numbers = f"{score.f1:.3f} | {score.precision:.3f} | {score.recall:.3f}"
    return f"| {_code(kind)} | {numbers} | {score.gold} |"


def _unmeasured(split: str) -> str:
    return f"warning={split}_not_measured The {split} split has no entities: no scores."


def _numbers(prefix: str, score: Score) -> str:
    return (
        f"{prefix}_f1={score.f1:.6f} {prefix}_precision={score.precision:.6f} "
        f"{prefix}_recall={score.recall:.6f}"
    )


def _scores(score: Score) -> dict[str, float | int | None]:
    known = score.is_measured
    return {
        "f1": score.f1 if known else None,
        "precision": score.precision if known else None,
        "recall": score.recall if known else None,
        "entities": score.gold,
    }


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', '').replace('|', '')}`"


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
