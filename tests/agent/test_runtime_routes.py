"""What programs read beside the streams: pages within bounds, mine alone."""

from typing import Any

import pytest

from mlops.aws.jobs import Jobs
from mlops.aws.plans import Plans
from mlops.errors import FaultError
from mlops.events import EventKind
from mlops.job import JobState
from tests.agent.fakes import make_plan
from tests.agent.runtime_client import serving
from tests.agent.world import World
from tests.factories import a_job


@pytest.fixture
def things(world: World) -> World:
    """A session with five events, and plans of mine and of somebody else."""
    person = world.aws.settings.person
    for number in range(5):
        world.log.append(world.session, "turn-1", EventKind.ANSWER, {"text": str(number)})
    for owner in (person, "eve"):
        plans = Plans(world.aws)
        plans.save(make_plan(world.session, plan_id=f"plan-{owner}-{person}", person=owner))
    return world


def test_events_come_in_pages(things: World):
    with serving(things) as api:
        api.frames({"prompt": "Hello!", "session": things.session})
        first = api.get(f"/sessions/{things.session}/events?limit=3").json()
        assert [e["seq"] for e in first["events"]] == [1, 2, 3]
        assert (first["last_seq"], first["more"]) == (3, True)
        rest = api.get(f"/sessions/{things.session}/events?after=3").json()
        assert [e["seq"] for e in rest["events"]] == list(range(4, rest["last_seq"] + 1))
        assert not rest["more"]
        assert set(rest["events"][0]) == {"type", "seq", "turn", "at", "data"}


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=-1", "after=1e3"])
def test_pages_have_bounds(world: World, query: str):
    with serving(world) as api:
        api.frames({"prompt": "Hello!", "session": world.session})
        answer = api.get(f"/sessions/{world.session}/events?{query}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_parameter")


def test_sessions_are_mine(world: World):
    with serving(world) as api:
        assert api.get("/sessions").json() == {"sessions": []}
        api.frames({"prompt": "Hello!", "session": world.session})
        (found,) = api.get("/sessions").json()["sessions"]
    assert (found["session"], found["title"]) == (world.session, "Hello!")
    assert found["running_turn"] is None


def test_plans_are_mine(things: World):
    person = things.aws.settings.person
    with serving(things) as api:
        found = api.get(f"/plans/plan-{person}-{person}").json()
        assert (found["plan"]["person"], found["approval"]) == (person, None)
        for name in (f"plan-eve-{person}", "plan-nowhere"):
            answer = api.get(f"/plans/{name}")
            assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown_plan")


def test_jobs_are_mine(world: World):
    person = world.aws.settings.person
    for owner in (person, "eve"):
        name = f"job-{owner}-{person}"
        Jobs(world.aws).add(a_job(job_name=name, person=owner, state=JobState.COMPLETED))
    with serving(world) as api:
        assert [j["job_name"] for j in api.get("/jobs").json()["jobs"]] == [
            f"job-{person}-{person}"
        ]
        assert api.get(f"/jobs/job-{person}-{person}").json()["job"]["person"] == person
        for name in (f"job-eve-{person}", "job-nowhere"):
            answer = api.get(f"/jobs/{name}")
            assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown_job")


def test_costs_come_from_the_tool(world: World):
    world.gateway.answers["get_costs"] = {"left_usd": "49.00"}
    with serving(world) as api:
        assert api.get("/costs").json() == {"left_usd": "49.00"}
    assert world.gateway.invoked == [("get_costs", {"person": world.aws.settings.person})]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (FaultError("throttled", "Slow down."), 503, "throttled"),
        (ZeroDivisionError("secret detail"), 500, "internal"),
    ],
)
def test_a_failing_route_is_a_typed_error(
    world: World, monkeypatch: Any, error: Exception, status: int, code: str
):
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(world.gateway, "invoke_tool", fail)
    with serving(world) as api:
        answer = api.get("/costs")
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert b"secret" not in answer.data


def test_health_says_what_answers(world: World):
    with serving(world) as api:
        found = api.get("/health").json()
        assert (found["status"], found["model_id"]) == ("ok", "local.planner-v1")
        assert found["sandbox"] is True
        assert api.get("/ping").json()["status"] == "Healthy"
