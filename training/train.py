"""Entry point of a training job (SageMaker script mode): a prepared dataset in, a model out.

Prints one line per event for the job's metric definitions. Exit codes: 0 the model is written,
1 failed with the reason in `output/failure`, 143 stopped by SIGTERM with what could be saved.
"""

import importlib.util
import os
import platform
import shutil
import signal
import sys
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

import hyperparameters
import ner_crf
import ner_outputs
from hyperparameters import Hyperparameters
from job_paths import JobPaths
from ner_data import Corpus, InputError, read_corpus
from ner_scores import Evaluation, evaluate, f1_interval
from training_time import TrainingTime

_FAILURE_REASON_CHARACTERS = 1024
_LORA_PACKAGES = ("torch", "transformers", "peft")


class _Stopped(BaseException):
    """SIGTERM arrived; the platform kills 120 seconds later."""


def main(arguments: list[str]) -> int:
    paths = JobPaths.from_env(os.environ)
    signal.signal(signal.SIGTERM, _stop)
    try:
        paths.create()
        _run(hyperparameters.parse(arguments), paths)
    except _Stopped:
        _print("stopped=SIGTERM A finished model is kept; an unfinished training starts over.")
        return 128 + signal.SIGTERM
    except InputError as error:
        return _fail(paths, str(error))
    except Exception as error:
        traceback.print_exc()
        return _fail(
            paths,
            f"Training broke off: {type(error).__name__}: {error}. "
            "Look at the end of the job's log, then try again.",
        )
    return 0


def _run(wanted: Hyperparameters, paths: JobPaths) -> None:
    started = time.monotonic()
    _print(
        f"engine={wanted.engine} algorithm={wanted.algorithm} python={platform.python_version()} "
        f"instance_type={os.environ.get('SM_CURRENT_INSTANCE_TYPE') or 'unknown'}"
    )
    if wanted.ignored:
        _print(f"ignored_hyperparameters={','.join(wanted.ignored)}")
    if wanted.engine == "lora":
        raise InputError(_no_lora())
    left = TrainingTime(wanted.max_training_seconds, paths.checkpoints)
    corpus = read_corpus(paths.channel)
    _print_corpus(corpus)
    trained = _train(wanted, corpus, paths, left)
    _evaluate(wanted, corpus, paths, trained, started, time.monotonic() - started)
    _print("progress=1.0000")


def _train(
    wanted: Hyperparameters, corpus: Corpus, paths: JobPaths, left: TrainingTime
) -> ner_crf.Trained:
    """A finished model in the model folder, trained now or taken from the checkpoint."""
    settings = ner_crf.CrfSettings(wanted.algorithm, wanted.epochs, wanted.c1, wanted.c2)
    kept = ner_crf.finished_model(corpus, settings, paths.checkpoints) if wanted.resume else None
    if kept:
        _print(
            "resumed=checkpoint This configuration is already trained; only evaluation is left."
        )

    def report(iteration: int, line: str, iterations: int) -> None:
        _print(f"iteration={iteration} {line} progress={_progress(iterations, 1 + iteration):.4f}")

    trained = kept or ner_crf.train(corpus, settings, paths.checkpoints, report, left)
    if trained.iterations < wanted.epochs:
        _print(
            f"stopped_early={ner_outputs.TIME_SHORT} iterations={trained.iterations} "
            f"of={wanted.epochs} The time for training bought no more."
        )
    ner_outputs.write_label_map(paths.model / "label_map.json", corpus)
    model = shutil.copyfile(trained.model, paths.model / ner_crf.MODEL_FILE)
    return replace(trained, model=model)


def _evaluate(
    wanted: Hyperparameters,
    corpus: Corpus,
    paths: JobPaths,
    trained: ner_crf.Trained,
    started: float,
    train_seconds: float,
) -> None:
    """Scores on validation and test, printed and written; `started` is a monotonic time."""
    validation, _ = _score(corpus, "validation", trained.model)
    done = _progress(trained.iterations, 2 + trained.iterations)
    _print(f"{ner_outputs.validation_line(validation)} progress={done:.4f}")
    test, predicted = _score(corpus, "test", trained.model)
    outcome = ner_outputs.Outcome(
        corpus=corpus,
        engine=wanted.engine,
        hyperparameters=asdict(wanted),
        validation=validation,
        test=test,
        test_f1_interval=f1_interval(test.sentences),
        iterations=trained.iterations,
        stopped_early=trained.iterations < wanted.epochs,
        train_seconds=train_seconds,
        total_seconds=time.monotonic() - started,
    )
    ner_outputs.write_predictions(
        paths.model / "predictions.tsv", corpus.splits["test"], predicted
    )
    ner_outputs.write_metrics(paths.model / "metrics.json", outcome)
    ner_outputs.write_model_card(paths.model / "model_card.md", outcome)
    shutil.copyfile(paths.model / "metrics.json", paths.output_data / "metrics.json")
    for line in ner_outputs.test_lines(test, outcome.test_f1_interval):
        _print(line)


def _score(corpus: Corpus, split: str, model: Path) -> tuple[Evaluation, list[list[str]]]:
    sentences = corpus.splits[split]
    predicted = ner_crf.predict(model, sentences)
    return evaluate([sentence.labels for sentence in sentences], predicted), predicted


def _progress(iterations: int, steps_done: int) -> float:
    """Steps: reading, each iteration, validation, test."""
    return steps_done / (iterations + 3)


def _print_corpus(corpus: Corpus) -> None:
    sizes = " ".join(f"{split}_sentences={len(rows)}" for split, rows in corpus.splits.items())
    _print(f"synthetic={str(corpus.synthetic).lower()} {sizes}")
    known = corpus.types("train")
    for split in ("validation", "test"):
        if unseen := corpus.types(split) - known:
            names = ",".join(sorted(map(ner_outputs.one_word, unseen)))
            _print(f"warning={split}_types_not_in_train types={names} They cannot be found.")


def _no_lora() -> str:
    missing = [name for name in _LORA_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return f"Engine lora needs {', '.join(missing)}, not installed here. Use engine crf."
    return "Engine lora is not part of this training archive. Use engine crf."


def _stop(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _fail(paths: JobPaths, reason: str) -> int:
    """The platform shows the first 1024 characters of this file as the job's failure reason."""
    text = " ".join(reason.split())[:_FAILURE_REASON_CHARACTERS]
    print(f"error: {text}", file=sys.stderr, flush=True)
    paths.failure.parent.mkdir(parents=True, exist_ok=True)
    paths.failure.write_text(text + "\n", encoding="utf-8")
    return 1


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
