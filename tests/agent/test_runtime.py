"""The headless API over HTTP: turns as streams, cut connections, resuming, followers, and how streams end."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from mlops.aws.plans import Plans
from mlops.aws.sessions import LEASE, Sessions
from mlops.events import REPORTED, EventKind
from mlops.job import JobState
from mlops.report import build
from tests.agent.fakes import NOW, PLAN, TRAIN, launch_latest, make_plan, says
from tests.agent.runtime_client import SESSION_HEADER, Api, logged, serving, types
from tests.agent.world import World, clock, plan_id
from tests.factories import a_job
from tests.patience import PATIENCE_SECONDS, eventually


def test_a_turn_is_streamed_as_its_log_has_it(world: World):
    with serving(world, says("Nothing spent.")) as api:
        frames = api.frames({"prompt": "How much did I spend?", "session": world.session})
    start, end = frames[0], frames[-1]
    assert start["data"] == {"session": world.session}
    assert (end["data"], end["seq"]) == ({"state": "done"}, len(world.events()))
    assert [(f["type"], f["seq"], f["data"]) for f in logged(frames)] == [
        (e.kind, e.seq, e.data) for e in world.events()
    ]
    assert "".join(f["data"]["text"] for f in frames if f["type"] == "token") == "Nothing spent."
    assert {frozenset(f) for f in frames} == {frozenset(("type", "seq", "turn", "at", "data"))}


def test_the_header_names_the_session(world: World):
    with serving(world) as api:
        answer = api.post({"prompt": "Hello!"}, {SESSION_HEADER: world.session})
        assert answer.headers["content-type"].startswith("text/event-stream")
        other = api.post({"prompt": "Hello!", "session": "other"}, {SESSION_HEADER: world.session})
    assert [e.kind for e in world.events()] == ["user", "step", "answer", "done"]
    assert (other.status, other.json()["error"]["code"]) == (422, "bad_payload")


def test_without_a_name_a_session_is_made(world: World):
    with serving(world) as api:
        first, second = api.frames({"prompt": "Hello!"}), api.frames({"prompt": "Hello!"})
    sessions = [frames[0]["data"]["session"] for frames in (first, second)]
    assert len(set(sessions)) == 2
    assert Sessions(world.aws).get(sessions[0]) is not None


def test_from_sentence_to_report(world: World):
    with serving(world, PLAN, launch_latest(), says("It runs.")) as api:
        planned = api.frames({"prompt": TRAIN, "session": world.session})
        plan = plan_id(world.events())
        assert planned[-1]["data"] == {"state": "waiting_for_approval", "plan_id": plan}
        launched = api.frames({"approve": plan})
        assert launched[0]["data"] == {"session": world.session}
        assert types(launched) == ["approval", "tool_call", "tool_result", "answer", "done"]
        assert launched[-1]["data"] == {"state": "done"}
        assert launched[0]["seq"] == planned[-1]["seq"]
    assert world.gateway.names() == ["plan_training", "launch_sagemaker_training"]


def test_a_follower_goes_on_to_the_report_and_its_words(world: World, monkeypatch: Any):
    """The report is written by another process; whoever follows has it told in words."""
    monkeypatch.setattr("agent.runtime_streams.Jobs", _SomeJobs)
    with serving(world, PLAN, launch_latest(), says("It runs."), says("Told.")) as api:
        api.frames({"prompt": TRAIN, "session": world.session})
        plan = plan_id(world.events())
        with api.stream({"approve": plan, "follow": True}) as frames:
            seen = [next(frames)]
            while seen[-1]["type"] != "done":
                seen.append(next(frames))
            _report(world, plan, seen[-1]["turn"])
            rest = list(frames)
    assert types(rest) == ["report", "tool_call", "tool_result", "answer", "done"]
    assert rest[-1]["data"] == {"state": "report"}
    assert rest[-1]["seq"] == len(world.events())


def test_a_declined_plan_ends_its_turn(world: World):
    with serving(world, PLAN, launch_latest()) as api:
        api.frames({"prompt": TRAIN, "session": world.session})
        frames = api.frames({"decline": plan_id(world.events()), "follow": True})
    assert types(frames) == ["approval", "answer", "done"]
    assert "launch_sagemaker_training" not in world.gateway.names()


def test_a_cut_stream_is_resumed_without_loss_or_double(world: World):
    """The connection is cut while a tool runs; the turn goes on and the rest is read later."""
    waits = _Pause(world)
    with serving(world, PLAN, launch_latest()) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            seen = [next(frames)]
            while seen[-1]["type"] != "tool_call":
                seen.append(next(frames))
        waits.over.set()
        rest = api.frames({"resume": {"after_seq": seen[-1]["seq"]}, "session": world.session})
    assert [f["seq"] for f in logged(seen) + logged(rest)] == [e.seq for e in world.events()]
    assert rest[-1]["data"]["state"] == "waiting_for_approval"
    assert world.gateway.names() == ["plan_training"]


def test_resuming_after_the_end_says_how_it_stands(world: World):
    with serving(world, PLAN, launch_latest()) as api:
        api.frames({"prompt": TRAIN, "session": world.session})
        last = len(world.events())
        body = {"resume": {"after_seq": last}, "session": world.session}
        frames = api.frames(body)
        everything = api.frames({"resume": {"after_seq": 0}, "session": world.session})
    assert logged(frames) == []
    assert frames[-1]["data"]["state"] == "waiting_for_approval"
    assert [f["seq"] for f in logged(everything)] == list(range(1, last + 1))


def test_several_clients_see_the_same(world: World):
    waits = _Pause(world)
    found: list[list[Any]] = [[], [], []]
    resume = {"resume": {"after_seq": 0}, "session": world.session}
    with serving(world, PLAN, launch_latest()) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            assert next(frames)["type"] == "start"
            threads = [
                threading.Thread(target=lambda n=n: found[n].extend(api.frames(resume)))
                for n in range(3)
            ]
            for thread in threads:
                thread.start()
            waits.over.set()
            whole = list(frames)
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
    wanted = [f["seq"] for f in logged(whole)]
    assert [[f["seq"] for f in logged(one)] for one in found] == [wanted] * 3


def test_a_busy_session_is_said_to_be_busy(world: World):
    waits = _Pause(world)
    with serving(world, PLAN) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            assert next(frames)["type"] == "start"
            assert api.get("/ping").json()["status"] == "HealthyBusy"
            answer = api.post({"prompt": "Hello?", "session": world.session})
            assert answer.status == 409
            assert answer.json()["error"]["alternatives"][0]["kind"] == "wait"
            waits.over.set()
            list(frames)
        assert world.aws.settings.person in world.session


def test_a_silent_stream_has_a_heartbeat(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.runtime_streams.HEARTBEAT_SECONDS", 0.05)
    waits = _Pause(world)
    with serving(world, PLAN) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            beat = next(f for f in frames if f["type"] == "heartbeat")
            waits.over.set()
            list(frames)
    assert beat["data"] == {}
    assert 0 <= beat["seq"] <= len(world.events())


def test_a_client_that_left_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch):
    """It is noticed when the next heartbeats cannot be written."""
    monkeypatch.setattr("agent.runtime_streams.HEARTBEAT_SECONDS", 0.05)
    waits = _Pause(world)
    with serving(world, PLAN) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            assert next(frames)["type"] == "start"
        eventually(lambda: api.get("/health").json()["open_streams"] == 0)
        waits.over.set()


def test_a_crash_in_a_turn_is_an_error_frame_that_tells_nothing(world: World):
    with serving(world, ZeroDivisionError("secret detail")) as api:
        frames = api.frames({"prompt": "How much did I spend?", "session": world.session})
    assert types(frames) == ["user", "error", "done"]
    error = next(f for f in frames if f["type"] == "error")["data"]
    assert (error["code"], error["alternatives"]) == ("internal", [])
    assert "secret" not in str(frames)
    assert frames[-1]["data"]["state"] == "error"


def test_a_crash_of_the_stream_is_an_error_frame_too(world: World, monkeypatch: Any):
    def crash(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("agent.runtime_tails.Tail.take", crash)
    with serving(world) as api:
        frames = api.frames({"prompt": "Hello!", "session": world.session})
    assert [f["type"] for f in frames] == ["start", "error", "end"]
    assert frames[1]["data"]["code"] == "internal"
    assert "secret" not in str(frames)


def test_what_cannot_be_started_is_an_error_with_a_status(world: World):
    with serving(world) as api:
        assert _problem(api, {"approve": "plan-nowhere"}) == (404, "unknown_plan")
        assert _problem(api, {"resume": {"after_seq": 0}}) == (422, "bad_payload")
        nowhere = {"resume": {"after_seq": 0}, "session": "nowhere"}
        assert _problem(api, nowhere) == (404, "unknown_session")


def test_one_stream_too_many_starts_nothing(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.runtime_tails.MOST_STREAMS", 0)
    with serving(world) as api:
        said = {"prompt": "Hello!", "session": world.session}
        assert _problem(api, said) == (503, "too_many_streams")
    assert world.events() == []


def test_a_session_of_somebody_else_is_closed(world: World):
    Sessions(world.aws).claim(world.session, "eve", "t", "text", "title", "o", clock())
    with serving(world) as api:
        said = {"prompt": "Hello!", "session": world.session}
        assert _problem(api, said) == (404, "unknown_session")
        resume = {"resume": {"after_seq": 0}, "session": world.session}
        assert _problem(api, resume) == (404, "unknown_session")
        assert api.get(f"/sessions/{world.session}/events").status == 404


@pytest.mark.parametrize("act", ["approve", "decline"])
def test_a_plan_of_somebody_else_is_as_unknown_as_none(world: World, act: str):
    plan_id = f"plan-eve-{world.session}"
    Plans(world.aws).save(make_plan(world.session, plan_id=plan_id, person="eve"))
    with serving(world) as api:
        foreign, unknown = api.post({act: plan_id}), api.post({act: "plan-nowhere"})
    assert (foreign.status, unknown.status) == (404, 404)
    assert foreign.json() == {
        "error": {**unknown.json()["error"], "message": f"There is no plan {plan_id!r}."}
    }


def test_a_server_that_ends_ends_its_streams(world: World):
    waits = _Pause(world)
    with serving(world, PLAN) as api:
        with api.stream({"prompt": TRAIN, "session": world.session}) as frames:
            assert next(frames)["type"] == "start"
            api.stop()
            rest = list(frames)
    waits.over.set()
    assert rest[-1]["data"] == {"state": "server_closing"}


def test_a_turn_whose_process_died_is_taken_up_by_the_server(world: World):
    person = world.aws.settings.person
    long_ago = clock() - LEASE - timedelta(seconds=1)
    Sessions(world.aws).claim(world.session, person, "turn-dead", "Hello!", "", "dead", long_ago)
    with serving(world) as api:
        frames = api.frames({"resume": {"after_seq": 0}, "session": world.session})
    assert types(frames) == ["user", "answer", "done"]


class _Pause:
    """Tools wait until it is over."""

    def __init__(self, world: World):
        self.over = threading.Event()
        invoke = world.gateway.invoke_tool

        def slow(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            assert self.over.wait(PATIENCE_SECONDS)
            return invoke(name, arguments)

        world.gateway.invoke_tool = slow  # type: ignore[method-assign]


class _SomeJobs:
    """The plan has a job: what makes one is not here."""

    def __init__(self, aws: Any):
        pass

    def of_plan(self, plan_id: str) -> list[str]:
        return ["job"]


def _report(world: World, plan_id: str, turn: str) -> None:
    """What the event handler writes at the end of a run."""
    plan = Plans(world.aws).get(plan_id)
    scores = dict.fromkeys(("eval_f1", "test_f1", "test_f1_low", "test_f1_high"), 0.9)
    done = {"state": JobState.COMPLETED, "billed_seconds": 16, "cost_usd": "0.000512"}
    report = build(plan, [a_job(plan, **done, metrics=scores)], NOW, 0, NOW)
    data = report.model_dump(mode="json")
    world.log.append(world.session, turn, EventKind.REPORT, data, REPORTED + plan_id)


def _problem(api: Api, body: Any) -> tuple[int, str]:
    answer = api.post(body)
    return answer.status, answer.json()["error"]["code"]
