"""How fast this machine trains a CRF: measured once per data directory, so that estimates fit the machine."""

import importlib
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from localaws.home import replace

SETTING = "LLMOPS_CRF_SECONDS_PER_TOKEN_ITERATION"
FILE = "pace.json"
# Real corpora have more features and miss the cache more often: measured on two of them (0.75 µs
# per token and iteration) against this probe (0.39 µs) on the same idle core.
REAL_TO_PROBE = 1.9
SENTENCES, TOKENS, ATTRIBUTES, WORDS, LABELS, ITERATIONS = 400, 12, 22, 1500, 7, 10


def environment(home: Path) -> dict[str, str]:
    """The setting to publish; empty where no CRF can be trained. The first call takes 0.3 s."""
    file = home / FILE
    try:
        return {SETTING: str(float(json.loads(file.read_text())["seconds_per_token_iteration"]))}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    measured = measure()
    if measured is None:
        return {}
    replace(file, json.dumps({"seconds_per_token_iteration": measured}))
    return {SETTING: str(measured)}


def measure() -> float | None:
    """Seconds per token and iteration of L-BFGS on a real corpus; None without python-crfsuite.

    The quickest iteration counts: the others were held up by other work.
    """
    try:
        crfsuite: Any = importlib.import_module("pycrfsuite")
    except ImportError:
        return None
    moments: list[float] = []
    trainer = _quiet(crfsuite.Trainer, moments)
    for tokens, labels in _corpus():
        trainer.append(tokens, labels)
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(os.path.join(folder, "probe.crfsuite"))
    gaps = [b - a for a, b in zip(moments, moments[1:], strict=False)]
    return REAL_TO_PROBE * min(gaps) / (SENTENCES * TOKENS) if gaps else None


def _quiet(trainer: Any, moments: list[float]) -> Any:
    """A trainer that notes when each iteration ended and prints nothing."""
    silent = {
        f"on_{name}": lambda *_: None
        for name in ("start", "featgen_progress", "featgen_end", "prepared", "optimization_end")
    }
    noting = {"on_iteration": lambda *_: moments.append(time.perf_counter())}
    kind = type("Probe", (trainer,), silent | noting | {"on_end": lambda *_: None})
    params = {"max_iterations": ITERATIONS, "c1": 0.1, "c2": 0.05}
    return kind(algorithm="lbfgs", params=params | {"feature.possible_transitions": True})


def _corpus() -> list[tuple[list[list[str]], list[str]]]:
    draw = random.Random(7)
    sentences = [[draw.randrange(WORDS) for _ in range(TOKENS)] for _ in range(SENTENCES)]
    return [
        ([_attributes(word) for word in words], [f"L{word % LABELS}" for word in words])
        for words in sentences
    ]


def _attributes(word: int) -> list[str]:
    """Half of them name the word, half of them are shared with others, like affixes."""
    return [f"{k}={word % (k + 3) if k % 2 else word}" for k in range(ATTRIBUTES)]
