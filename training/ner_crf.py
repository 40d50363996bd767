"""Engine `crf`: sentences become a linear-chain CRF (python-crfsuite) and, with it, predictions.

The loss and the token-level F1 on validation are printed live, once per iteration. crfsuite can
neither store nor resume a model in mid-training, so the entity-level F1 comes when it is done,
and an interrupted training starts over; a finished model is kept as checkpoint and is reused.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ner_features
import pycrfsuite
from ner_data import Corpus, Sentence

MODEL_FILE = "model.crfsuite"
_STATE_FILE = "state.json"
_HOLDOUT = 1


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


def train(
    corpus: Corpus, settings: CrfSettings, folder: Path, report: Callable[[int, str], None]
) -> Path:
    """Train, keep the model as a finished checkpoint in `folder`, and return its path.

    `report(iteration, line)` gets one line per iteration.
    """
    key = checkpoint_key(corpus, settings)
    trainer = _LiveTrainer(algorithm=settings.algorithm, params=settings.params())
    trainer.report = report
    for split, group in (("train", 0), ("validation", _HOLDOUT)):
        for sentence in corpus.splits[split]:
            trainer.append(ner_features.featurize(sentence.tokens), sentence.labels, group)
    partial = folder / f"{MODEL_FILE}.partial"
    try:
        trainer.train(str(partial), _HOLDOUT)
    except BaseException:
        _write_state(folder, {"finished": False, "key": key, "iteration": trainer.iteration})
        raise
    os.replace(partial, folder / MODEL_FILE)
    _write_state(folder, {"finished": True, "key": key, "iteration": trainer.iteration})
    return folder / MODEL_FILE


def finished_model(corpus: Corpus, settings: CrfSettings, folder: Path) -> Path | None:
    """The checkpoint of this very configuration, when its training had ended."""
    try:
        state = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    model = folder / MODEL_FILE
    key = checkpoint_key(corpus, settings)
    if state == {**state, "finished": True, "key": key} and model.is_file():
        return model
    return None


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
    """Written whole or not at all, and after the model that it speaks of."""
    partial = folder / f"{_STATE_FILE}.partial"
    partial.write_text(json.dumps(state), encoding="utf-8")
    os.replace(partial, folder / _STATE_FILE)


class _LiveTrainer(pycrfsuite.Trainer):  # pyright: ignore[reportAttributeAccessIssue]
    """Turns crfsuite's log into one line per iteration and nothing else."""

    report: Callable[[int, str], None]
    iteration = 0

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
        self.report(self.iteration, " ".join(numbers))


def _token_f1(scores: dict[str, Any]) -> float | None:
    """Micro F1 over the labels other than O, from crfsuite's counts on the held-out split."""
    counts = [score for label, score in scores.items() if label != "O"]
    matched = sum(score.match for score in counts)
    wanted = sum(score.ref for score in counts)
    both = wanted + sum(score.model for score in counts)
    return 2 * matched / both if wanted else None
