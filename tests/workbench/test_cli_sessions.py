"""`llmops sessions`: tables, JSON, links and copies."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from tests.fake_workbench import FakeWorkbench
from tests.pages.test_chat import SENTENCE
from workbench.cli import app
from workbench.transcripts import Transcript


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> FakeWorkbench:
    fake = FakeWorkbench()
    monkeypatch.setattr(workbench, "connect", lambda: fake)
    return fake


def llmops(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["sessions", *arguments])


def test_an_empty_list_says_how_to_begin(bench: FakeWorkbench):
    assert "Begin with: llmops ask" in llmops().stdout
    assert json.loads(llmops("list", "--json").stdout) == []


def test_the_list_is_searched(bench: FakeWorkbench):
    bench.ask("What datasets do we have?", "a")
    bench.ask("What does a GPU cost?", "b")
    assert "a " in llmops("list").stdout and "What does a GPU" in llmops().stdout
    [found] = json.loads(llmops("list", "--search", "gpu", "--json").stdout)
    assert set(found) == {"session_id", "title", "updated_at", "is_shared", "events"}
    assert found["session_id"] == "b"
    assert "No title has these words: zebra" in llmops("list", "--search", "zebra").stdout


def test_show_tells_the_whole_conversation(bench: FakeWorkbench):
    bench.ask(SENTENCE, "a")
    bench.ask("train", "a")
    shown = llmops("show", "a")
    assert f"> {SENTENCE}" in shown.stdout
    assert "The most it can cost" in shown.stdout
    assert "Which dataset shall I train on?" in shown.stderr
    events = json.loads(llmops("show", "a", "--json").stdout)["events"]
    assert events[0]["kind"] == "user" and events[0]["hash"]


def test_rename(bench: FakeWorkbench):
    bench.ask("hello", "a")
    assert llmops("rename", "a", "My data").stdout == "a is called My data now.\n"


def test_share_prints_a_link_and_how_to_end_it(bench: FakeWorkbench):
    bench.ask("hello", "a")
    out = llmops("share", "a").stdout
    assert f"\n/?c=a&share={bench.links['a']}\n" in out
    assert "llmops sessions share a --stop" in out
    assert llmops("share", "a", "--stop").stdout == "a is not shared any more.\n"
    assert bench.links == {}


def test_export_in_both_forms(bench: FakeWorkbench):
    bench.ask(SENTENCE, "a")
    made = Transcript(
        session="a",
        title="T",
        person="ada",
        exported_at=bench.log["a"][0].at,
        events=tuple(bench.log["a"]),
    )
    bench.transcript = lambda session_id: made  # type: ignore[attr-defined]
    bench.decision_log = SimpleNamespace(export=lambda session_id: f"log of {session_id}\n")  # type: ignore[attr-defined]
    assert llmops("export", "a").stdout == "log of a\n"
    page = llmops("export", "a", "--format", "md").stdout
    assert page.startswith("# T\n") and "The most it can cost" in page.replace("\\", "")
    assert llmops("export", "a", "--format", "pdf").exit_code == 2
