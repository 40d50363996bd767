"""Whose conversation it is: its owner reads and changes it, who has the link reads along, nobody else does."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.turns import Turns
from localaws.dynamodb import DynamoDb
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.wire import create_app
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions
from mlops.aws.tables import SESSIONS, SPECS
from mlops.datasets import Metadata
from mlops.errors import RefusedError, RequestError
from mlops.events import EventKind
from mlops.settings import Settings
from tests.agent.fakes import FakeGateway, ScriptedModel, says
from tests.agent.world import clock, credentials
from tests.factories import a_job, a_plan
from tests.patience import PATIENCE_SECONDS
from workbench import boot, conversations
from workbench.proofs import verify_file
from workbench.workbench import Workbench

SESSION = "session-1"
EVIL = "hi <img src=x> ![x](http://evil.example)\n# not a heading"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = Store(tmp_path_factory.mktemp("home"))
    server = Server(create_app([DynamoDb(store)], S3(store)))
    server.start()
    yield server
    server.stop()
    store.close()


@pytest.fixture
def aws(server: Server) -> Iterator[Aws]:
    settings = Settings.from_env(
        {}, bedrock_model_id="local.planner-v1", endpoint_url=server.endpoint, person="ada"
    )
    made = Aws(settings, credentials())
    for spec in SPECS:
        made.client("dynamodb").create_table(**spec)
    yield made
    for spec in SPECS:
        made.client("dynamodb").delete_table(TableName=spec["TableName"])


@pytest.fixture
def ada(aws: Aws) -> Iterator[Workbench]:
    yield from _bench(aws)


@pytest.fixture
def bob(aws: Aws) -> Iterator[Workbench]:
    yield from _bench(Aws(aws.settings.model_copy(update={"person": "bob"}), aws.session))


def _bench(aws: Aws) -> Iterator[Workbench]:
    from langgraph.checkpoint.memory import InMemorySaver

    gateway: Any = FakeGateway(aws)
    model = ScriptedModel(*[says("Nothing **new**.")] * 9)
    turns = Turns(aws, gateway, clock, "tests", model, InMemorySaver())
    services = boot.Services(
        settings=aws.settings, aws=aws, gateway=gateway, turns=turns, home=None
    )
    yield Workbench(services, clock)
    turns.close()


def asked(bench: Workbench, text: str = EVIL, session: str = SESSION) -> None:
    assert bench._turns.wait(bench.ask(text, session), PATIENCE_SECONDS)


def test_the_owner_reads_lists_and_renames(ada: Workbench):
    asked(ada, "Is there anything new?")
    asked(ada, "What does it cost?", "session-2")
    assert [s.session_id for s in ada.sessions()] == ["session-2", SESSION]
    assert [s.session_id for s in ada.sessions("ANYTHING new")] == [SESSION]
    assert ada.sessions("anything cost") == []
    assert ada.rename(SESSION, "  My \n data ").title == "My data"
    asked(ada, "And now?")
    assert ada.session(SESSION).title == "My data"


def test_a_dataset_with_broken_files_is_no_way_out(ada: Workbench, aws: Aws):
    datasets = Datasets(aws)
    aws.client("s3").create_bucket(Bucket=aws.settings.datasets_bucket)
    datasets.upload("broken", {"train.tsv": b"no label here\n\n"}, Metadata())
    datasets.upload("raw", {"train.tsv": b"x O\n\n"}, Metadata())
    with pytest.raises(RequestError):
        datasets.prepare("broken", clock)
    with pytest.raises(RequestError, match="Which dataset") as caught:
        ada.plan("train a model, at most $2")
    assert [way.message for way in caught.value.alternatives] == ["Use raw"]


def test_a_search_looks_at_all_titles(ada: Workbench, aws: Aws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conversations, "_LATEST", 2)
    for number in range(4):
        now = clock() + timedelta(minutes=number)
        Sessions(aws).open(f"search-{number}", "ada", f"Searched {number}", now)
    assert [s.session_id for s in ada.sessions()] == ["search-3", "search-2"]
    assert [s.session_id for s in ada.sessions("searched 0")] == ["search-0"]


@pytest.mark.parametrize("title", ["", " \n ", "x" * 81])
def test_a_title_is_short_and_not_empty(ada: Workbench, title: str):
    asked(ada)
    with pytest.raises(RequestError):
        ada.rename(SESSION, title)


def test_nobody_else_reads_or_changes_it(ada: Workbench, bob: Workbench):
    asked(ada)
    for act in (
        lambda: bob.events(SESSION),
        lambda: bob.tokens(SESSION),
        lambda: bob.last_event(SESSION),
        lambda: bob.running_turn(SESSION),
        lambda: bob.session(SESSION),
        lambda: bob.transcript(SESSION),
        lambda: bob.follow(SESSION, "turn-1"),
        lambda: bob.rename(SESSION, "mine"),
        lambda: bob.share(SESSION),
        lambda: bob.stop_sharing(SESSION),
        lambda: bob.ask("hello", SESSION),
        lambda: bob.events(SESSION, 0, "guess"),
    ):
        with pytest.raises(RefusedError):
            act()
    assert bob.sessions() == [] and bob.tell(SESSION) is None


def test_a_log_that_nobody_claimed_is_no_conversation(ada: Workbench, aws: Aws):
    EventLog(aws, clock).append("system", "t", EventKind.THINKING, {"text": "x"})
    for name in ("system", "not-there-yet"):
        with pytest.raises(RequestError):
            ada.session(name)
    assert ada.events("not-there-yet") == []


def test_a_link_lets_others_read_and_nothing_else(ada: Workbench, bob: Workbench, aws: Aws):
    asked(ada)
    token = ada.share(SESSION)
    assert bob.shared(SESSION, token).person == "ada"
    assert bob.events(SESSION, 0, token) == ada.events(SESSION)
    assert bob.tokens(SESSION, 0, token) == ada.tokens(SESSION)
    assert bob.running_turn(SESSION, token) is None
    asked(ada, "And now?")
    assert len(bob.events(SESSION, 0, token)) == len(ada.events(SESSION))
    with pytest.raises(RefusedError):
        bob.ask("hello", SESSION)
    with pytest.raises(RefusedError):
        bob.events(SESSION)
    stored = aws.dynamodb.get_item(TableName=SESSIONS, Key={"session_id": SESSION})
    assert token not in str(stored) and len(token) >= 32


def test_a_new_link_or_none_ends_the_old_one(ada: Workbench, bob: Workbench):
    asked(ada)
    first = ada.share(SESSION)
    second = ada.share(SESSION)
    assert ada.session(SESSION).is_shared
    with pytest.raises(RefusedError):
        bob.events(SESSION, 0, first)
    bob.events(SESSION, 0, second)
    ada.stop_sharing(SESSION)
    for token in (first, second, ""):
        with pytest.raises(RefusedError):
            bob.events(SESSION, 0, token)
    assert not ada.session(SESSION).is_shared


def test_a_link_of_one_conversation_opens_no_other(ada: Workbench, bob: Workbench):
    asked(ada)
    asked(ada, "hello", "session-2")
    token = ada.share(SESSION)
    with pytest.raises(RefusedError):
        bob.events("session-2", 0, token)


def test_plans_and_jobs_of_others_are_theirs(ada: Workbench, bob: Workbench, aws: Aws):
    plan = a_plan().model_copy(update={"person": "ada"})
    Plans(aws).save(plan)
    job = Jobs(aws).add(a_job(plan))
    assert ada.stored_plan(plan.plan_id) == plan
    for act in (
        lambda: bob.stored_plan(plan.plan_id),
        lambda: bob.approve(plan.plan_id),
        lambda: bob.queue(plan.plan_id),
        lambda: bob.decline(plan.plan_id),
        lambda: bob.job(job.job_name),
        lambda: bob.curves(job.job_name),
        lambda: bob.logs(job.job_name),
    ):
        with pytest.raises(RefusedError) as caught:
            act()
        assert caught.value.code == "not_yours"


def test_a_queued_plan_has_an_owner_before_it_runs(ada: Workbench, bob: Workbench, aws: Aws):
    plan = a_plan().model_copy(update={"person": "ada"})
    Plans(aws).save(plan)
    ada.queue(plan.plan_id)
    assert ada.events(plan.session_id)
    with pytest.raises(RefusedError):
        bob.events(plan.session_id)
    assert not Sessions(aws).open(plan.session_id, "bob", "mine", clock())


def test_a_copy_proves_itself(ada: Workbench, bob: Workbench, tmp_path: Path):
    asked(ada)
    file = tmp_path / "copy.jsonl"
    file.write_text(ada.decision_log.export(SESSION))
    proof = verify_file(file)
    assert (proof.session, proof.flaw) == (SESSION, None)
    assert proof.events == len(ada.events(SESSION)) == ada.session(SESSION).events
    with pytest.raises(RefusedError):
        bob.decision_log.export(SESSION)


def test_a_copy_to_read_shows_what_others_wrote_as_plain_words(ada: Workbench):
    asked(ada)
    text = ada.transcript(SESSION).as_markdown()
    assert "their hash chain holds" in text
    assert "## ada · " in text and "## AgenticAIOps · " in text
    assert r"\<img src\=x\>" in text and " ![x](" not in text and " <img" not in text
    assert "\n# not a heading" not in text
    assert text.count("\n# ") == 0 and text.startswith("# hi ")
