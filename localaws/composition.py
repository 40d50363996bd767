"""Puts the services together: one store, one server, and what each service needs of the others."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from starlette.types import ASGIApp

from localaws import home as data
from localaws import pace, planner
from localaws.bedrock import Bedrock
from localaws.bedrock_models import BedrockModels
from localaws.cloudwatch import CloudWatch
from localaws.dynamodb import DynamoDb
from localaws.endpoints import Endpoints
from localaws.events import Events
from localaws.functions import Functions
from localaws.gateway import Gateways
from localaws.gateway_endpoint import gateway_route
from localaws.hosting import Hosting
from localaws.idle import OutsideCalls
from localaws.inference import Inference
from localaws.job_records import JobRecords
from localaws.job_run import Ports
from localaws.logs import Logs
from localaws.own_routes import OwnRoutes
from localaws.pricing import Pricing
from localaws.provision import Services, Wanted
from localaws.quota_requests import QuotaRequests
from localaws.quotas import Quotas
from localaws.registry import Registry
from localaws.runner import STOP_GRACE_SECONDS, Runner
from localaws.s3 import S3
from localaws.scheduler import Scheduler
from localaws.server import Server
from localaws.sns import Sns
from localaws.spot import read_market
from localaws.store import Store
from localaws.sts import Sts
from localaws.training import Training
from localaws.wire import create_app
from mlops.aws.tables import JOBS, OPEN, PLANS, SPECS, TTL_ATTRIBUTES
from mlops.settings import Settings
from mlops.tools import EVENT_HANDLERS, TOOLS

ROOT = Path(__file__).resolve().parent.parent
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
    endpoints: Endpoints
    scheduler: Scheduler
    services: Services
    wanted: Wanted

    def start(self) -> None:
        """After the server answers and everything is provisioned."""
        self.functions.start()
        self.events.start()
        self.scheduler.start()
        self.runner.recover()
        self.endpoints.start()

    def is_busy(self) -> bool:
        """A job, a queued or scheduled invocation, or a launch or reservation that still has to be settled."""
        waiting = self.functions.pending() + self.scheduler.pending()
        at_work = self.runner.active() > 0 or waiting > 0
        return at_work or _has_open_work(self.services.dynamodb)

    def close(self) -> None:
        """Jobs end first, while S3 still answers; the store last."""
        self.events.close()
        self.scheduler.close()
        self.endpoints.close()
        self.runner.close()
        self.functions.close()
        self.server.stop()
        self.store.close()


class _Wiring:
    """Late bindings: the endpoint is known once the socket is bound, events need functions first."""

    server: Server
    stack: Stack

    def is_busy(self) -> bool:
        return self.stack.is_busy() or self.stack.calls.open_calls() > 0

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


def compose(home: Path, token: str) -> Stack:
    """Everything built and the port bound, the last one where it is free; nothing runs yet."""
    wiring = _Wiring()
    store = Store(home)
    logs, metrics, quotas = Logs(store), CloudWatch(store), Quotas(home)
    dynamodb, s3 = DynamoDb(store), S3(store)
    functions = Functions(store, logs.append, wiring.environment)
    events = Events(store, functions.enqueue)
    records = JobRecords(store, events.publish)
    ports = Ports(
        lambda: wiring.s3,
        wiring.environment,
        logs.append,
        metrics.put_points,
        lambda: read_market(home),
    )
    grace = float(os.environ.get(_GRACE_VARIABLE, STOP_GRACE_SECONDS))
    runner = Runner(records, ports, home / "jobs", grace)
    training = Training(runner, quotas.limit, ports.spot)
    bedrock = Bedrock(planner.reply)
    registry = Registry(store)
    hosting = Hosting(store, registry)
    endpoints = Endpoints(store, hosting, lambda: wiring.s3, logs.append, home / "endpoints")
    scheduler = Scheduler(store, functions.enqueue)
    models = [registry, hosting, endpoints, Inference(endpoints), BedrockModels()]
    others = [scheduler, Sns(store, home / "outbox"), QuotaRequests(store, quotas)]
    services = [dynamodb, metrics, logs, quotas, Pricing(), Sts(), functions, events]
    gateways = Gateways(store, lambda: wiring.server.endpoint)
    app = create_app([*services, training, bedrock, *models, *others, gateways], s3)
    app.routes.insert(0, gateway_route(gateways, functions.invoke))
    calls = OutsideCalls(app)
    wiring.server = _bind(OwnRoutes(calls, token, wiring.is_busy), data.last_port(home))
    wiring.stack = Stack(
        store=store,
        server=wiring.server,
        calls=calls,
        functions=functions,
        events=events,
        runner=runner,
        endpoints=endpoints,
        scheduler=scheduler,
        services=Services(dynamodb, functions, events, lambda: wiring.s3),
        wanted=_wanted(home),
    )
    return wiring.stack


def _bind(app: ASGIApp, port: int) -> Server:
    """The port of the last run, so that clients of then go on; another when it is taken."""
    try:
        return Server(app, port)
    except OSError:
        return Server(app)


def _has_open_work(dynamodb: DynamoDb) -> bool:
    """Jobs and plans carry the attribute `open` until their money is settled."""
    wanted = {
        "IndexName": OPEN,
        "KeyConditionExpression": "#o = :yes",
        "ExpressionAttributeNames": {"#o": OPEN},
        "ExpressionAttributeValues": {":yes": {"S": "yes"}},
        "Limit": 1,
    }
    return any(dynamodb.query({"TableName": table, **wanted})["Count"] for table in (JOBS, PLANS))


def _wanted(home: Path) -> Wanted:
    """The functions' settings are the starter's own, except for what this back end decides."""
    own = data.back_end_environment(os.environ.get("LLMOPS_PREFIX") or "llmops")
    own |= pace.environment(home)
    plain = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    handlers = {spec.function_name: name for name, spec in TOOLS.items()}
    handlers |= {f"llmops-{name.replace('_', '-')}": name for name in EVENT_HANDLERS}
    return Wanted(
        root=ROOT,
        settings=Settings.from_env(plain | own),
        handlers=handlers,
        tables=SPECS,
        ttl_attributes=TTL_ATTRIBUTES,
    )
