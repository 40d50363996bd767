"""kill -9 in the middle of a turn: another process finishes it, and nothing is said or launched twice."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from agent.checkpoints import CheckpointSaver
from mlops.aws.sessions import LEASE
from tests.agent.world import World, clock, kinds, last
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def die_in(world: World, tool: str) -> None:
    """Runs a turn in a process of its own and kills it while it waits for a tool."""
    settings = world.aws.settings
    arguments = [str(settings.endpoint_url), settings.person, world.session, tool]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.doomed", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("tool", ["plan_training", "launch_sagemaker_training"])
def test_a_killed_turn_is_finished_by_another_process(world: World, tool: str):
    die_in(world, tool)
    world.saver = CheckpointSaver(world.aws)
    world.now = lambda: clock() + 2 * LEASE + timedelta(seconds=1)
    turns = world.turns(react=False)
    before = world.events()
    assert turns.resume_orphans() == 1
    assert turns.wait(before[0].turn, PATIENCE_SECONDS)
    events = world.events()
    assert events[: len(before)] == before
    assert kinds(events).count("user") == 1
    called = [e.data["call_id"] for e in events if e.kind == "tool_call"]
    assert len(called) == len(set(called))
    # The call that hung is made again, what had an answer is not.
    assert world.gateway.names() == [tool]
    ends = {"plan_training": "waiting", "launch_sagemaker_training": "approved"}
    assert last(events, "approval")["status"] == ends[tool]
    assert kinds(events)[-1] == "done"
    assert turns.resume_orphans() == 0
