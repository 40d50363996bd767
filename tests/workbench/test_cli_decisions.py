"""`llmops decisions` and `llmops notifications`: tables, JSON, files and exit codes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from mlops.aws.notices import Stored
from mlops.aws.sessions import Session
from mlops.decisions import decisions
from mlops.errors import RefusedError
from mlops.events import Event, EventKind, Flaw, Head, chain
from mlops.exports import export_lines
from mlops.notices import Notice, NoticeKind
from mlops.replay.differences import Difference
from mlops.replay.replay import Replay
from tests.factories import NOW
from workbench.cli import app
from workbench.notices import Trial
from workbench.proofs import Proof, prove

EVENTS = [
    chain(
        Head(),
        Event(
            session="s1",
            seq=0,
            turn="t1",
            kind=EventKind.USER,
            at=NOW,
            data={"text": "Train\x1b[2J it " + "x" * 999},
        ),
    )
]
HEAD = Head(seq=1, hash=EVENTS[0].hash)


class Log:
    """Fixed answers; `flaw` and `difference` make them bad ones."""

    flaw: Flaw | None = None
    differences: tuple[Difference, ...] = ()

    def show(self, session: str, kind: EventKind | None = None) -> list[Any]:
        if session != "s1":
            raise RefusedError("not_yours", "This conversation belongs to somebody else.")
        return decisions(EVENTS, kind)

    def verify(self, session: str, seal: str = "") -> Proof:
        return prove(session, EVENTS, HEAD, self.flaw, seal)

    def export(self, session: str) -> str:
        return "".join(f"{line}\n" for line in export_lines(session, EVENTS, HEAD))

    def replay(self, session: str) -> Replay:
        return Replay(
            session=session,
            rules_then=("0.1.0+a",),
            rules_now="0.1.0+b",
            checked={"plans": 2},
            skipped=("call 3: later",),
            differences=self.differences,
        )


class Inbox:
    """One unread notice, and one channel that works or not."""

    problem = ""
    trials = 1

    def __init__(self) -> None:
        self.was_read = False

    def latest(self, limit: int) -> list[Stored]:
        notice = Notice(
            inbox="i",
            notice_id="n",
            kind=NoticeKind.FAILED,
            at=NOW,
            title="It failed",
            text="first\nsecond\x1b[2J",
            session_id="s1",
        )
        return [Stored(notice=notice, read_at=None, deliveries={"sns": "sent"})][:limit]

    def mark_all_read(self) -> int:
        self.was_read = True
        return 1

    def test(self) -> list[Trial]:
        return [Trial(channel="webhook", problem=self.problem)] * self.trials


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    listed = Session(
        session_id="s1", person="me", title="[b]A run[/b]", updated_at=NOW, turn=None, events=7
    )
    made = SimpleNamespace(decision_log=Log(), inbox=Inbox(), sessions=lambda: [listed])
    monkeypatch.setattr(workbench, "connect", lambda: made)
    return made


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout


def test_the_list_and_one_session(bench: Any):
    for words in (("decisions",), ("decisions", "list")):
        code, out = run(*words)
        assert code == 0 and "s1" in out and "[b]A run[/b]" in out and " 7 " in out


def test_words_of_others_are_data_and_short(bench: Any):
    code, out = run("decisions", "show", "s1")
    assert code == 0 and "person" in out
    assert "\x1b" not in out and "x" * 300 not in out
    assert "Nothing of that kind" in run("decisions", "show", "s1", "--kind", "report")[1]


def test_json_holds_the_whole_text(bench: Any):
    [row] = json.loads(run("decisions", "show", "s1", "--json")[1])
    assert row["why"] == EVENTS[0].data["text"]
    assert json.loads(run("decisions", "--json")[1])[0]["events"] == 7
    assert json.loads(run("decisions", "replay", "s1", "--json")[1])["checked"] == {"plans": 2}


def test_somebody_elses_log_is_refused(bench: Any):
    assert run("decisions", "show", "s2")[0] == 3


def test_verify_says_where_it_breaks(bench: Any):
    code, out = run("decisions", "verify", "s1")
    assert code == 0 and HEAD.hash in out
    bench.decision_log.flaw = Flaw(seq=4, why="it is missing")
    code, out = run("decisions", "verify", "s1")
    assert code == 1 and "event 4: it is missing" in out
    assert json.loads(run("decisions", "verify", "s1", "--json")[1])["flaw"]["seq"] == 4


def test_an_export_is_verified_without_a_back_end(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "log.jsonl"
    assert run("decisions", "export", "s1", "--out", str(file))[0] == 0
    assert file.read_text() == run("decisions", "export", "s1")[1]
    monkeypatch.setattr(workbench, "connect", None)
    assert run("decisions", "verify", "--file", str(file))[0] == 0
    file.write_text(file.read_text().replace("Train", "Trein"))
    assert run("decisions", "verify", "--file", str(file))[0] == 1
    assert run("decisions", "verify")[0] == 2
    assert run("decisions", "verify", "s1", "--file", str(file))[0] == 2
    assert run("decisions", "verify", "--file", str(tmp_path / "none"))[0] == 2


def test_a_seal_from_elsewhere_finds_a_rewritten_export(bench: Any, tmp_path: Path):
    """The chain has no key: whoever rewrites all of it only needs another head."""
    file, forged = tmp_path / "log.jsonl", tmp_path / "forged.jsonl"
    run("decisions", "export", "s1", "--out", str(file))
    event = chain(Head(), EVENTS[0].model_copy(update={"data": {"text": "Spend more"}}))
    lines = export_lines("s1", [event], Head(seq=1, hash=event.hash))
    forged.write_text("\n".join(lines), "utf-8")
    code, out = run("decisions", "verify", "--file", str(forged))
    assert code == 0 and "consistent in itself" in out and event.hash in out
    code, out = run("decisions", "verify", "--file", str(forged), "--seal", HEAD.hash)
    assert code == 1 and "not what was sealed" in out
    for words in (("--file", str(file)), ("s1",)):
        code, out = run("decisions", "verify", *words, "--seal", HEAD.hash.upper())
        assert code == 0 and "is what was sealed, up to event 1 of 1" in out
    assert run("decisions", "verify", "s1", "--seal", "abc")[0] == 2


def test_an_older_seal_proves_what_came_before_it():
    later = chain(HEAD, EVENTS[0].model_copy(update={"turn": "t2"}))
    log, end = [*EVENTS, later], Head(seq=2, hash=later.hash)
    assert prove("s1", log, end, None, HEAD.hash).sealed_to == 1
    assert prove("s1", log, end, None, later.hash).sealed_to == 2
    assert prove("s1", log, end, None).sealed_to is None


def test_an_export_to_nowhere(bench: Any, tmp_path: Path):
    assert run("decisions", "export", "s1", "--out", str(tmp_path / "no" / "x"))[0] == 2


def test_replay_shows_both_values(bench: Any):
    code, out = run("decisions", "replay", "s1")
    assert code == 0 and "Everything came out the same" in out
    assert "0.1.0+a" in out and "0.1.0+b" in out and "call 3: later" in out
    bench.decision_log.differences = (
        Difference(seq=7, what="plan-1", path="ceiling_usd", stored="1.00", replayed="2.00"),
    )
    code, out = run("decisions", "replay", "s1")
    assert code == 1
    assert all(word in out for word in ("ceiling_usd", "1.00", "2.00"))


def test_notices_are_listed_and_marked(bench: Any):
    code, out = run("notifications")
    assert code == 0 and "It failed" in out and "first second" in out and "\x1b" not in out
    assert not bench.inbox.was_read
    assert json.loads(run("notifications", "list", "--json")[1])[0]["notice"]["kind"] == "failed"
    run("notifications", "list", "--read")
    assert bench.inbox.was_read


@pytest.mark.parametrize(("problem", "code"), [("", 0), ("it answered 404", 1)])
def test_a_trial_of_each_channel(bench: Any, problem: str, code: int):
    bench.inbox.problem = problem
    found, out = run("notifications", "test")
    assert found == code
    assert f"webhook: {problem or 'taken'}" in out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_trial_without_a_channel_needs_one(bench: Any, form: tuple[str, ...]):
    bench.inbox.trials = 0
    done = CliRunner().invoke(app, ["notifications", "test", *form])
    assert done.exit_code == 2 and not done.stdout
    assert "LLMOPS_NOTIFY_WEBHOOK" in done.stderr
