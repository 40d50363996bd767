"""What every Lambda shares: settings read once per process, input checked, refusals returned as data."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from mlops.aws.clients import Aws, translate
from mlops.errors import OpsError, to_wire
from mlops.settings import Settings
from mlops.tools import TOOLS

Act = Callable[[Aws, Any], BaseModel]
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


@cache
def aws() -> Aws:
    """One set of clients per Lambda process, made at cold start."""
    return Aws(Settings.from_env())


def now() -> datetime:
    return datetime.now(UTC)


def tool(name: str, act: Act) -> Handler:
    """The handler of a tool: validated arguments in, its output model as JSON out.

    An OpsError comes back as `{"error": …}`; anything unforeseen fails the invocation.
    """
    spec = TOOLS[name]

    def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        try:
            return act(aws(), spec.read(event)).model_dump(mode="json")
        except OpsError as error:
            return to_wire(error)
        except (ClientError, BotoCoreError) as error:
            return to_wire(translate(error))

    return lambda_handler
