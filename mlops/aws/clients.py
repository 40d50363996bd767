"""The one factory of boto3 clients, and the one place where AWS errors become ours."""

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.faults import explained, unanswered
from mlops.errors import FaultError, OpsError
from mlops.settings import Settings

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=5,
    read_timeout=120,
    max_pool_connections=32,
    s3={"addressing_style": "path"},
    inject_host_prefix=False,
)
# A hung point operation must not outlast a turn's lease.
_QUICK = _CONFIG.merge(Config(read_timeout=10))
# Each attempt at a model call is paid for by itself, so none may go unseen.
_ONCE = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
_ASKED_AGAIN_BY_CALLER = ("bedrock-runtime",)
_MODEL_SERVICES = ("bedrock", "bedrock-runtime")
# The Pricing API lives in few regions.
_FIXED_REGIONS = {"pricing": "us-east-1"}

_log = logging.getLogger(__name__)

Item = dict[str, Any]


class Aws:
    """Clients of one back end, made when first used; safe to share between threads."""

    def __init__(self, settings: Settings, session: Any = None):
        self.settings = settings
        self.session: Any = session or boto3.Session(region_name=settings.region)
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """A boto3 client; clients are thread-safe, making them is not."""
        found = self._clients.get(service)
        if found is not None:
            return found
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    @property
    def dynamodb(self) -> Any:
        """A DynamoDB client that takes and gives plain Python values (numbers as Decimal)."""
        return self.client("dynamodb")

    def _make(self, service: str) -> Any:
        options = {
            "region_name": self._region(service),
            "endpoint_url": self.settings.endpoint_url,
            "config": _ONCE if service in _ASKED_AGAIN_BY_CALLER else _CONFIG,
        }
        if service == "dynamodb":
            options["config"] = _QUICK
            return self.session.resource(service, **options).meta.client
        return self.session.client(service, **options)

    def _region(self, service: str) -> str:
        if service in _MODEL_SERVICES and self.settings.bedrock_region is not None:
            return self.settings.bedrock_region
        return _FIXED_REGIONS.get(service, self.settings.region)


def error_code(error: ClientError) -> str:
    """AWS's own code, such as "ResourceInUse"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cancellation_reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, one code per write ("None": that one was fine)."""
    return [str(r.get("Code")) for r in error.response.get("CancellationReasons", [])]


def is_uncertain(error: Exception) -> bool:
    """Perhaps AWS carried the request out: there was no answer, or it failed inside."""
    if not isinstance(error, ClientError):
        return True
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def translate(error: Exception) -> OpsError:
    """A botocore error as one of ours; the caller raises it `from` the original."""
    if not isinstance(error, ClientError):
        return unanswered(error)
    about = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reasons = " ".join(cancellation_reasons(error))
    return explained(error_code(error), str(about.get("Message", "")), status, reasons)


def as_ours(error: Exception) -> OpsError:
    """What a person may see of any exception; the rest is in the log, under the same number."""
    if isinstance(error, OpsError):
        return error
    if isinstance(error, ClientError | BotoCoreError):
        return translate(error)
    number = uuid.uuid4().hex[:8]
    _log.error("fault %s", number, exc_info=error)
    return FaultError("internal", f"Something went wrong on our side; the log calls it {number}.")


@contextmanager
def translated() -> Iterator[None]:
    """Everything botocore raises inside comes out as an OpsError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error) from error
