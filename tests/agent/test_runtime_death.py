"""kill -9 of a headless server in the middle of a turn: a new one finishes it, and launches once."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3

from agent.checkpoints import CheckpointSaver
from mlops.aws.sessions import LEASE
from tests.agent.fakes import TRAIN
from tests.agent.runtime_client import Api, Frame, logged, serving
from tests.agent.world import World, clock, plan_id

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("tool", ["plan_training", "launch_sagemaker_training"])
def test_a_killed_server_is_succeeded_by_another(world: World, tool: str):
    seen = _die_in(world, tool)
    world.saver = CheckpointSaver(world.aws)
    world.now = lambda: clock() + 2 * LEASE + timedelta(seconds=1)
    resume = {"resume": {"after_seq": seen[-1]["seq"]}, "session": world.session}
    with serving(world, turns=world.turns(react=False)) as api:
        rest = api.frames(resume)
    numbers = [f["seq"] for f in logged(seen) + logged(rest)]
    assert numbers == [e.seq for e in world.events()]
    assert world.gateway.names() == [tool]
    waits = tool == "plan_training"
    assert rest[-1]["data"]["state"] == ("waiting_for_approval" if waits else "done")


def _die_in(world: World, tool: str) -> list[Frame]:
    """Streams from a server in a process of its own until a tool hangs, then kills it."""
    settings = world.aws.settings
    arguments = [str(settings.endpoint_url), settings.person, tool]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.doomed_server", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        api = Api(int(process.stdout.readline()))
        body = {"prompt": TRAIN, "session": world.session}
        seen: list[Frame] = []
        if tool == "launch_sagemaker_training":
            seen += api.frames(body)
            body = {"approve": plan_id(world.events())}
        with api.stream(body) as frames:
            while not seen or not _hangs(seen[-1], tool):
                seen.append(next(frames))
            assert process.stdout.readline() == "hanging\n"
            process.send_signal(signal.SIGKILL)
            with pytest.raises(urllib3.exceptions.HTTPError):
                seen.extend(frames)
        api.pool.clear()
    return seen


def _hangs(frame: Frame, tool: str) -> bool:
    return frame["type"] == "tool_call" and frame["data"]["tool"] == tool
