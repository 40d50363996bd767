"""A process that starts a turn, hangs inside a tool, and waits to be killed.

Arguments: endpoint, person, session, the tool to hang in. Says "hanging" when it does.
"""

import sys
import threading
from typing import Any

from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.settings import Settings
from tests.agent.fakes import TRAIN, FakeGateway
from tests.agent.world import clock, credentials, plan_id


class HangingGateway(FakeGateway):
    hangs_in = ""

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == self.hangs_in:
            sys.stdout.write("hanging\n")
            sys.stdout.flush()
            threading.Event().wait()
        return super().invoke_tool(name, arguments)


def main(endpoint: str, person: str, session: str, tool: str) -> None:
    settings = Settings.from_env(
        {}, endpoint_url=endpoint, person=person, react=False, bedrock_model_id="local.planner-v1"
    )
    aws = Aws(settings, credentials())
    gateway = HangingGateway(aws)
    gateway.hangs_in = tool
    turns = Turns(aws, gateway, clock, "doomed")
    turns.wait(turns.submit(session, TRAIN))
    turns.wait(turns.approve(plan_id(EventLog(aws, clock).tail(session)), "ada"))


if __name__ == "__main__":
    main(*sys.argv[1:])
