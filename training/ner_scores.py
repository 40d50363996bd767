"""Gold and predicted BIO labels become entity-level scores with a bootstrap interval.

Entities as conlleval reads BIO: an I- after O or after another type opens an entity of its own;
an entity counts only when type, first and last token all agree.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Entity = tuple[str, int, int]
"""Type, first token, token after the last."""


@dataclass(frozen=True)
class Score:
    matched: int
    predicted: int
    gold: int

    @property
    def is_measured(self) -> bool:
        """Without a gold entity there is nothing to find, and 0 would be no score."""
        return self.gold > 0

    @property
    def precision(self) -> float:
        return self.matched / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.matched / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        both = self.predicted + self.gold
        return 2 * self.matched / both if both else 0.0


@dataclass(frozen=True)
class Evaluation:
    total: Score
    """Micro-average over all entities."""
    types: dict[str, Score]
    accuracy: float
    """Share of tokens with the right label."""
    sentences: tuple[Score, ...]


def evaluate(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Evaluation:
    """Score predictions against gold; both hold one label sequence per sentence."""
    matched, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    sentences: list[Score] = []
    for gold_labels, predicted_labels in zip(gold, predicted, strict=True):
        truth, guess = entities(gold_labels), entities(predicted_labels)
        both = truth & guess
        sentences.append(Score(len(both), len(guess), len(truth)))
        matched.update(kind for kind, _, _ in both)
        found.update(kind for kind, _, _ in guess)
        wanted.update(kind for kind, _, _ in truth)
    return Evaluation(
        total=Score(matched.total(), found.total(), wanted.total()),
        types={k: Score(matched[k], found[k], wanted[k]) for k in sorted({*wanted, *found})},
        accuracy=_accuracy(gold, predicted),
        sentences=tuple(sentences),
    )


def entities(labels: Sequence[str]) -> set[Entity]:
    """The entities of one BIO sequence."""
    spans: set[Entity] = set()
    kind, start = "", 0
    for position, label in enumerate((*labels, "O")):
        if label.startswith("I-") and label[2:] == kind:
            continue
        if kind:
            spans.add((kind, start, position))
        kind, start = label[2:], position
    return spans


def f1_interval(
    sentences: Sequence[Score], *, resamples: int = 1000, seed: int = 13
) -> tuple[float, float]:
    """95 % percentile bootstrap of the micro F1: whole sentences are drawn with replacement."""
    # One integer per sentence (matched high, predicted + gold low) so that one sum adds both.
    packed = [(s.matched << 40) + s.predicted + s.gold for s in sentences]
    draw = random.Random(seed)
    values = sorted(_packed_f1(sum(draw.choices(packed, k=len(packed)))) for _ in range(resamples))
    return values[int(0.025 * resamples)], values[int(0.975 * resamples) - 1]


def _packed_f1(packed: int) -> float:
    both = packed & ((1 << 40) - 1)
    return 2 * (packed >> 40) / both if both else 0.0


def _accuracy(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> float:
    right = total = 0
    for gold_labels, predicted_labels in zip(gold, predicted, strict=True):
        total += len(gold_labels)
        right += sum(a == b for a, b in zip(gold_labels, predicted_labels, strict=True))
    return right / total if total else 0.0
