"""Puts the services together: one store, one server, and what each service needs of the others."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws import home as data
from localaws import planner
from localaws.bedrock import Bedrock
from localaws.cloudwatch import CloudWatch
from localaws.dynamodb import DynamoDb
from localaws.events import Events
from localaws.functions import Functions
from localaws.idle import OutsideCalls
from localaws.job_records import JobRecords
from localaws.job_run import Ports
from localaws.logs import Logs
from localaws.pricing import Pricing
from localaws.provision import Services, Wanted
from localaws.quotas import Quotas
from localaws.runner import STOP_GRACE_SECONDS, Runner
from localaws.s3 import S3
from localaws.server import Server
from localaws.store import Store
from localaws.sts import Sts
from localaws.training import Training
from localaws.wire import create_app
from mlops.aws.tables import SPECS, TTL_ATTRIBUTES
from mlops.settings import Settings
from mlops.tools import EVENT_HANDLERS, TOOLS

_ROOT = Path(__file__).resolve().parent.parent
_GRACE_VARIABLE = "LLMOPS_STOP_GRACE_SECONDS"


@dataclass(frozen=True)
class Stack:
    """The running parts that have a life of their own."""

    store: Store
    server: Server
    calls: OutsideCalls
    functions: Functions
    events: Events
    runner: Runner
    services: Services
    wanted: Wanted

    def start(self) -> None:
        """After the server answers and everything is provisioned."""
        self.functions.start()
        self.events.start()
        self.runner.recover()

    def is_busy(self) -> bool:
        return self.runner.active() > 0 or self.functions.pending() > 0

    def close(self) -> None:
        """Jobs end first, while S3 still answers; the store last."""
        self.events.close()
        self.runner.close()
        self.functions.close()
        self.server.stop()
        self.store.close()


class _Wiring:
    """Late bindings: the endpoint is known once the socket is bound, events need functions first."""

    server: Server

    def environment(self) -> dict[str, str]:
        return data.internal_environment(self.server.endpoint)

    @cached_property
    def s3(self) -> Any:
        """One client for the whole process; its calls count as internal."""
        environ = self.environment()
        return boto3.Session().client(
            "s3",
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                user_agent_appid=data.INTERNAL_APP_ID,
                s3={"addressing_style": "path"},
                max_pool_connections=50,
            ),
        )


def compose(home: Path) -> Stack:
    """Everything built and the port bound; nothing runs yet."""
    wiring = _Wiring()
    store = Store(home)
    logs, metrics, quotas = Logs(store), CloudWatch(store), Quotas(home)
    dynamodb, s3 = DynamoDb(store), S3(store)
    functions = Functions(store, logs.append, wiring.environment)
    events = Events(store, functions.enqueue)
    records = JobRecords(store, events.publish)
    ports = Ports(lambda: wiring.s3, wiring.environment, logs, metrics.put_points)
    grace = float(os.environ.get(_GRACE_VARIABLE, STOP_GRACE_SECONDS))
    runner = Runner(records, ports, home / "jobs", grace)
    training = Training(runner, quotas.limit)
    bedrock = Bedrock(planner.reply)
    services = [dynamodb, metrics, logs, quotas, Pricing(), Sts(), functions, events]
    calls = OutsideCalls(create_app([*services, training, bedrock], s3))
    wiring.server = Server(calls)
    return Stack(
        store=store,
        server=wiring.server,
        calls=calls,
        functions=functions,
        events=events,
        runner=runner,
        services=Services(dynamodb, functions, events, lambda: wiring.s3),
        wanted=_wanted(),
    )


def _wanted() -> Wanted:
    """The functions' settings are the starter's own, except for what this back end decides."""
    own = data.back_end_environment(os.environ.get("LLMOPS_PREFIX") or "llmops")
    plain = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    handlers = {spec.function_name: name for name, spec in TOOLS.items()}
    handlers |= {f"llmops-{name.replace('_', '-')}": name for name in EVENT_HANDLERS}
    return Wanted(
        root=_ROOT,
        settings=Settings.from_env(plain | own),
        handlers=handlers,
        tables=SPECS,
        ttl_attributes=TTL_ATTRIBUTES,
    )
