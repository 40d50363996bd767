"""A headless server whose tools hang, to be killed in the middle of a turn.

Arguments: endpoint, person, the tool to hang in. Says its port, and "hanging" when it does.
"""

import sys
from datetime import UTC, datetime

from agent.runtime import create_app
from agent.runtime_server import bind, server_of
from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.settings import Settings
from tests.agent.doomed import HangingGateway
from tests.agent.runtime_client import Parts
from tests.agent.world import clock, credentials


def main(endpoint: str, person: str, tool: str) -> None:
    settings = Settings.from_env(
        {}, endpoint_url=endpoint, person=person, react=False, bedrock_model_id="local.planner-v1"
    )
    aws = Aws(settings, credentials())
    gateway = HangingGateway(aws)
    gateway.hangs_in = tool
    turns = Turns(aws, gateway, lambda: datetime.now(UTC), "doomed")
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        app = create_app(Parts(settings, aws, gateway, turns), clock=clock)
        server_of(app, lambda: _say(str(port))).run(sockets=[listening])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
