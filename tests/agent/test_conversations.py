"""Conversations as people type them, through the real graph: what each turn is understood as, and how it ends."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws import planner
from mlops.aws import serve
from tests.agent import talkative
from tests.agent.converse_server import serve as serve_converse
from tests.agent.talks import DOUBTED, Office, Talk, faults, talks
from tests.mlops.aws.embedded import Embedded, FakeSageMaker

TALKS = talks(Path(__file__).with_name("conversations.txt"))
SHARE = 0.95
# These are also held by a language model that thinks aloud, talks beside its calls and calls in parallel.
BY_MODEL = TALKS[::3]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One embedded AWS with three datasets; the tools run in this process."""
    embedded = Embedded(tmp_path_factory.mktemp("talks"))
    embedded.reset()
    sagemaker = FakeSageMaker(serve.now)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in embedded.settings(engines=("crf",)).to_env().items():
            patch.setenv(name, value)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        serve.aws.cache_clear()
        serve.aws()._clients["sagemaker"] = sagemaker
        yield Office(embedded, sagemaker, serve.aws())
    serve.aws.cache_clear()
    embedded.close()


def test_there_are_enough_of_them():
    assert len(TALKS) >= 80
    assert len(BY_MODEL) >= 20
    turns = [turn for talk in TALKS for turn in talk.turns]
    assert all(turn.intent for turn in turns)
    assert len(turns) >= 160


def test_what_people_type_is_understood_offline(office: Office):
    """By the planner, behind the Converse protocol."""
    with serve_converse(planner.reply) as converse:
        wrong, count = _held(office, TALKS, converse.url)
    assert not converse.refused
    _require(wrong, count)


def test_a_language_model_changes_nothing_of_it(office: Office):
    with serve_converse(talkative.reply) as converse:
        wrong, count = _held(office, BY_MODEL, converse.url)
    assert not converse.refused
    _require(wrong, count)


def _held(office: Office, held: list[Talk], url: str) -> tuple[list[str], int]:
    """What went wrong, with where it stands, and how many turns there were."""
    wrong: list[str] = []
    count = 0
    for talk in held:
        for turn, events in office.run(talk, url):
            count += 1
            if found := faults(turn, events):
                where = f"line {turn.line} ({talk.title}) {turn.text!r}"
                wrong.append(f"{where}: {'; '.join(found)}")
    return wrong, count


def _require(wrong: list[str], count: int) -> None:
    share = 1 - len(wrong) / count
    told = "\n".join([f"{share:.1%} of {count} turns are right.", *wrong])
    sys.stdout.write(told)
    assert not [fault for fault in wrong if DOUBTED in fault], told
    assert share >= SHARE, told
