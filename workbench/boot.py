"""The composition root: the one place where real things are chosen. Environment in, Services out.

Local and AWS differ here alone, by endpoint, credentials and settings. The environment of this
process is read and never changed.
"""

import os
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import boto3
import botocore.session
from botocore.config import Config

from agent.external_tools import open_tools
from agent.gateway import ToolGateway
from agent.turns import Turns
from mlops.aws.clients import Aws, translated
from mlops.aws.limits import Limits
from mlops.errors import FaultError, RequestError
from mlops.settings import Settings
from workbench.courier import Courier
from workbench.zone import zone_name

DIRECTORY = ".llmops"


@dataclass(frozen=True)
class Services:
    """One back end, ready to work; safe to share between threads."""

    settings: Settings
    aws: Aws
    gateway: ToolGateway
    turns: Turns
    home: Path | None
    courier: Courier | None = None


def data_home(environ: Mapping[str, str] | None = None, start: Path | None = None) -> Path:
    """Where the embedded AWS keeps its data: LLMOPS_HOME, else the nearest `.llmops/` upwards
    from the working directory, else `~/.llmops`."""
    named = (os.environ if environ is None else environ).get("LLMOPS_HOME")
    if named:
        return Path(named).expanduser().absolute()
    here = (start or Path.cwd()).absolute()
    found = (folder / DIRECTORY for folder in (here, *here.parents))
    return next((path for path in found if path.is_dir()), Path.home() / DIRECTORY)


def services(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Services:
    """Those of this process for a data directory, made when first asked for.

    An environment given explicitly makes new ones. RequestError when a setting is malformed.
    """
    if environ is not None:
        return _make(home, environ)
    key = str(home or data_home())
    with _making:
        if key not in _made:
            _made[key] = _make(home, os.environ)
        return _made[key]


def revive(made: Services) -> None:
    """Starts or joins the embedded AWS again when it died; nothing to do on real AWS.

    FaultError when it came back at another address than these services know.
    """
    if made.home is None:
        return
    endpoint = local_stack().ensure(made.home)
    if endpoint.environ["AWS_ENDPOINT_URL"] != made.settings.endpoint_url:
        raise FaultError("moved", "The embedded AWS has a new address; start this again.")


def close(made: Services) -> None:
    """Lets its running turns end; whoever asks next gets new services."""
    with _making:
        for key in [key for key, known in _made.items() if known is made]:
            del _made[key]
    made.turns.close()
    if made.courier is not None:
        made.courier.close()


def local_stack() -> ModuleType:
    """The client's side of the embedded AWS; real AWS never loads it."""
    from localaws import stack  # noqa: PLC0415

    return stack


_made: dict[str, Services] = {}
_making = threading.Lock()


def _make(home: Path | None, environ: Mapping[str, str]) -> Services:
    data = None if _wants_aws(environ) else home or data_home(environ)
    aws = _on_aws(environ) if data is None else _embedded(data, environ)
    with translated():
        Limits(aws).adopt(_now())
    gateway = open_tools(aws, environ)
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    turns = Turns(aws, gateway, clock=_now, owner=owner)
    courier = Courier(aws, _now).start()
    return Services(aws.settings, aws, gateway, turns, home=data, courier=courier)


def _now() -> datetime:
    return datetime.now(UTC)


def _wants_aws(environ: Mapping[str, str]) -> bool:
    named = environ.get("LLMOPS_BACKEND") or "local"
    if named not in ("local", "aws"):
        raise RequestError("bad_setting", f"LLMOPS_BACKEND is {named!r}; use local or aws.")
    return named == "aws"


def _on_aws(environ: Mapping[str, str]) -> Aws:
    return Aws(Settings.from_env(environ, timezone=zone_name(environ)))


def _embedded(home: Path, environ: Mapping[str, str]) -> Aws:
    """The person's own AWS variables do not count: this must never reach a real account."""
    endpoint = local_stack().ensure(home)
    ours = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    settings = Settings.from_env(ours | endpoint.environ, timezone=zone_name(environ))
    return Aws(settings, _local_session(endpoint.environ))


def _local_session(environ: Mapping[str, str]) -> boto3.Session:
    """Keys of the embedded AWS; no profile, configuration file or proxy of the person's applies."""
    nowhere = (None, None, os.devnull, None)
    variables = {
        "profile": (None, None, None, None),
        "config_file": nowhere,
        "credentials_file": nowhere,
    }
    session = botocore.session.Session(session_vars=variables)
    session.set_default_client_config(Config(proxies={}))
    return boto3.Session(
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_DEFAULT_REGION"],
        botocore_session=session,
    )
