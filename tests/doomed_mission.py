"""A process that carries a request to its launch, hangs at one of its checkpoints, and waits to be killed.

Arguments: person, session, sentence, which checkpoint, and whether it is written before. The environment
says where AWS is. Says "hanging" when it does, "done" when there was no such checkpoint.
"""

import sys
import threading
from datetime import UTC, datetime
from typing import Any

from agent.checkpoints import CheckpointSaver
from agent.gateway import LambdaGateway
from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.events import EventKind
from mlops.settings import Settings


def clock() -> datetime:
    return datetime.now(UTC)


def hang_at(number: int, written: bool) -> None:
    """The number-th checkpoint, from 1, is the last thing that this process does, or nearly does."""
    put, seen = CheckpointSaver.put, iter(range(1, 1_000))

    def put_or_hang(
        self: CheckpointSaver, config: Any, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> Any:
        here = next(seen) == number
        answer = None
        if written or not here:
            answer = put(self, config, checkpoint, metadata, new_versions)
        if here:
            say("hanging")
            threading.Event().wait()
        return answer

    CheckpointSaver.put = put_or_hang


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(person: str, session: str, sentence: str, number: str, written: str) -> None:
    hang_at(int(number), written == "True")
    aws = Aws(Settings.from_env(person=person))
    turns = Turns(aws, LambdaGateway(aws), clock, f"doomed-{person}")
    turns.wait(turns.submit(session, sentence))
    events = EventLog(aws, clock).tail(session)
    plans = [e.data["plan"]["plan_id"] for e in events if e.kind is EventKind.PLAN]
    turns.wait(turns.approve(plans[-1], person))
    say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
