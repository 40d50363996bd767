"""The job's hyper-parameters, as script mode passes them (`--epochs 60 --resume True`), typed."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from ner_data import InputError

_EPOCHS = {"lbfgs": 60, "pa": 10}


@dataclass(frozen=True)
class Hyperparameters:
    engine: str
    algorithm: str
    epochs: int
    c1: float
    c2: float
    resume: bool
    max_training_seconds: int | None
    """Training ends inside this time, with fewer epochs if need be; None: nothing limits it."""
    ignored: tuple[str, ...]
    """Names that were given but mean nothing to this script."""


def parse(arguments: Sequence[str]) -> Hyperparameters:
    """Unknown names are kept aside; a bad value is an InputError that names it."""
    known, unknown = _parser().parse_known_args(list(arguments))
    return Hyperparameters(
        engine="crf" if known.engine == "auto" else known.engine,
        algorithm=known.algorithm,
        epochs=known.epochs or _EPOCHS[known.algorithm],
        c1=known.c1,
        c2=known.c2,
        resume=known.resume,
        max_training_seconds=known.max_training_seconds,
        ignored=tuple(name.lstrip("-") for name in unknown if name.startswith("--")),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"Bad hyper-parameter: {message}.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(allow_abbrev=False, add_help=False)
    parser.add_argument("--engine", default="auto", choices=("auto", "crf", "lora"))
    parser.add_argument("--algorithm", default="lbfgs", choices=tuple(_EPOCHS))
    parser.add_argument("--epochs", type=_epochs, default=None)
    parser.add_argument("--c1", type=_penalty, default=0.1)
    parser.add_argument("--c2", type=_penalty, default=0.05)
    parser.add_argument("--resume", type=_boolean, default=True)
    parser.add_argument("--max_training_seconds", type=_seconds, default=None)
    return parser


def _epochs(text: str) -> int:
    value = float(text)
    if not value.is_integer() or not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(value)


def _seconds(text: str) -> int:
    value = float(text)
    if not value.is_integer() or value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds")
    return int(value)


def _penalty(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def _boolean(text: str) -> bool:
    """Script mode turns JSON `true` into `True`; people type 1, yes or on."""
    lowered = text.strip().lower()
    if lowered in ("true", "1", "yes", "on"):
        return True
    if lowered in ("false", "0", "no", "off"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
