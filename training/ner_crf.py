"""Engine `crf`: sentences become a linear-chain CRF (python-crfsuite) and, with it, predictions.

The loss and the token-level F1 on validation are printed live, once per iteration. crfsuite can
neither store nor resume a model in mid-training, so the entity-level F1 comes when it is done,
and an interrupted training starts over; a finished model is kept as checkpoint and is reused.
For the same reason a training that would not end in time is broken off early, as soon as its pace
is known, and begun again with as many iterations as fit.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import ner_features
import pycrfsuite
from ner_data import Corpus, Sentence
from training_time import TrainingTime

MODEL_FILE = "model.crfsuite"
_STATE_FILE = "state.json"
_HOLDOUT = 1
# Iterations until the pace is believed; of the time that is left, the share that is planned with.
_PACE_ITERATIONS = 3
_PLANNED_SHARE = 0.8
# Past so many iterations a little lateness costs less than what a new beginning would lose.
_EARLY_ITERATIONS = 10
_LATENESS = 1.1


@dataclass(frozen=True)
class CrfSettings:
    algorithm: str
    """lbfgs (a falling loss, the same result on every run) or pa (passive-aggressive, faster)."""
    epochs: int
    c1: float
    c2: float

    def params(self) -> dict[str, Any]:
        common = {"max_iterations": self.epochs, "feature.possible_transitions": True}
        if self.algorithm == "lbfgs":
            return {**common, "c1": self.c1, "c2": self.c2}
        return common


@dataclass(frozen=True)
class Trained:
    model: Path
    iterations: int
    """That were allowed for; fewer than the settings' epochs when time was short."""


def train(
    corpus: Corpus,
    settings: CrfSettings,
    folder: Path,
    report: Callable[[int, str, int], None],
    left: TrainingTime,
) -> Trained:
    """Train, keep the model as a finished checkpoint in `folder`, and say where it is.

    `report(iteration, line, iterations)` gets one line per iteration of so many.
    """
    trainer = _LiveTrainer(algorithm=settings.algorithm)
    trainer.report, trainer.left = report, left
    for split, group in (("train", 0), ("validation", _HOLDOUT)):
        for sentence in corpus.splits[split]:
            trainer.append(ner_features.featurize(sentence.tokens), sentence.labels, group)
    partial = folder / f"{MODEL_FILE}.partial"
    iterations = _train_in_time(trainer, settings, partial)
    # In this order no state ever speaks of another model than the one that lies beside it.
    (folder / _STATE_FILE).unlink(missing_ok=True)
    os.replace(partial, folder / MODEL_FILE)
    _write_state(folder, {"key": checkpoint_key(corpus, settings), "iterations": iterations})
    return Trained(folder / MODEL_FILE, iterations)


def _train_in_time(trainer: "_LiveTrainer", settings: CrfSettings, path: Path) -> int:
    """As many iterations as wanted, or as the time allows at the pace that was measured."""
    iterations = settings.epochs
    while True:
        trainer.begin(iterations)
        trainer.set_params(replace(settings, epochs=iterations).params())
        try:
            trainer.train(str(path), _HOLDOUT)
        except _TooSlow:
            iterations = trainer.iterations_in_time()
        else:
            return iterations


def finished_model(corpus: Corpus, settings: CrfSettings, folder: Path) -> Trained | None:
    """The checkpoint of this very configuration, when its training had ended."""
    try:
        state = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
        key, iterations = state["key"], int(state["iterations"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    model = folder / MODEL_FILE
    if key != checkpoint_key(corpus, settings) or not model.is_file():
        return None
    return Trained(model, iterations)


def checkpoint_key(corpus: Corpus, settings: CrfSettings) -> str:
    """Same key, same model: the data, the settings and the features in one hash."""
    identity = [corpus.fingerprint, asdict(settings), ner_features.VERSION]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def predict(model: Path, sentences: Sequence[Sentence]) -> list[list[str]]:
    """One label sequence per sentence."""
    tagger = pycrfsuite.Tagger()  # pyright: ignore[reportAttributeAccessIssue]
    with tagger.open(str(model)):
        return [tagger.tag(ner_features.featurize(sentence.tokens)) for sentence in sentences]


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    """Written whole or not at all."""
    partial = folder / f"{_STATE_FILE}.partial"
    partial.write_text(json.dumps(state), encoding="utf-8")
    os.replace(partial, folder / _STATE_FILE)


class _TooSlow(Exception):
    """At this pace training would not end in time."""


class _LiveTrainer(pycrfsuite.Trainer):  # pyright: ignore[reportAttributeAccessIssue]
    """Turns crfsuite's log into one line per iteration, and breaks off what would not end in time."""

    report: Callable[[int, str, int], None]
    left: TrainingTime
    iteration = 0
    iterations = 0
    began = 0.0

    def begin(self, iterations: int) -> None:
        self.iteration, self.iterations, self.began = 0, iterations, time.monotonic()

    def pace(self) -> float:
        """Seconds per iteration until now, what comes before the first one included."""
        return (time.monotonic() - self.began) / max(1, self.iteration)

    def iterations_in_time(self) -> int:
        fitting = int(_PLANNED_SHARE * self.left.left() / self.pace())
        return max(1, min(fitting, self.iterations - 1))

    def too_slow(self) -> bool:
        left = self.left.left()
        if self.iteration < _PACE_ITERATIONS and left > 0:
            return False
        late = 1.0 if self.iteration <= _EARLY_ITERATIONS else _LATENESS
        return self.pace() * (self.iterations - self.iteration) > max(0.0, left) * late

    def on_start(self, log: str) -> None: ...
    def on_featgen_progress(self, log: str, percent: int) -> None: ...
    def on_featgen_end(self, log: str) -> None: ...
    def on_prepared(self, log: str) -> None: ...
    def on_optimization_end(self, log: str) -> None: ...
    def on_end(self, log: str) -> None: ...

    def on_iteration(self, log: str, info: dict[str, Any]) -> None:
        self.iteration = info["num"]
        loss = info.get("loss")
        f1 = _token_f1(info["scores"])
        numbers = [] if loss is None else [f"train_loss={loss:.4f}"]
        numbers += [] if f1 is None else [f"eval_token_f1={f1:.4f}"]
        self.report(self.iteration, " ".join(numbers), self.iterations)
        if self.too_slow():
            raise _TooSlow


def _token_f1(scores: dict[str, Any]) -> float | None:
    """Micro F1 over the labels other than O, from crfsuite's counts on the held-out split."""
    counts = [score for label, score in scores.items() if label != "O"]
    matched = sum(score.match for score in counts)
    wanted = sum(score.ref for score in counts)
    both = wanted + sum(score.model for score in counts)
    return 2 * matched / both if wanted else None
