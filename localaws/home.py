"""The data directory of the embedded AWS: whose it is, who holds it, and where it answers.

Shared by the server (claims, locks, announces) and its starters (look, join, stop).
"""

import fcntl
import importlib.util
import json
import os
import time
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from localaws.errors import REGION
from mlops.errors import RequestError

INTERNAL_APP_ID = "embedded-aws"
"""Part of the User-Agent of calls by its own functions and jobs; these keep nothing awake."""

FORMAT = 1
MARKER = "format.json"
LOCK = "lock"
ENDPOINT = "endpoint.json"
LOG = "localaws.log"
PORT = "port"
SEEDED = "seeded.json"
STATE = (
    "state.sqlite3",
    "state.sqlite3-wal",
    "state.sqlite3-shm",
    "blobs",
    "jobs",
    "lambda",
    "endpoints",
    "outbox",
    "pace.json",
    SEEDED,
)
EXIT_REFUSED = 65
"""The data directory is not ours or of another format (sysexits' EX_DATAERR)."""
EXIT_TAKEN = 75
"""Another server holds it (EX_TEMPFAIL)."""
_OWN_BEFORE_MARKER = (MARKER, LOCK, LOG, "quotas.json", "spot.json")
_LOCK_PATIENCE_SECONDS = 0.5
_LOCK_RETRY_SECONDS = 0.02


class Announcement(BaseModel):
    """endpoint.json: written when the server is ready, readable by its owner alone.

    A newer server's may say more, an older one's less: both can be talked to.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: str
    pid: int
    port: int
    token: str
    started_at: datetime
    version: int
    prefix: str
    code: str = ""
    confinement: str = ""


def aws_environment(endpoint: str) -> dict[str, str]:
    """What any boto3 needs to talk to the embedded AWS and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def internal_environment(endpoint: str) -> dict[str, str]:
    """The same for processes that the embedded AWS itself starts."""
    return aws_environment(endpoint) | {"AWS_SDK_UA_APP_ID": INTERNAL_APP_ID}


def back_end_environment(prefix: str) -> dict[str, str]:
    """What this back end is and can do, as the settings that everyone reads."""
    engines = ["crf"] if importlib.util.find_spec("pycrfsuite") else []
    return {
        "LLMOPS_PREFIX": prefix,
        "LLMOPS_ENGINES": ",".join(engines),
        "LLMOPS_SANDBOX": "true",
        "LLMOPS_BILLED_OVERHEAD_SECONDS": "5",
        "LLMOPS_STARTUP_SECONDS": "0",
        "BEDROCK_MODEL_ID": "local.planner-v1",
    }


def claim(home: Path) -> None:
    """Makes an empty directory ours, or checks that it is; raises RequestError otherwise."""
    home.mkdir(parents=True, exist_ok=True)
    marker = home / MARKER
    if marker.exists():
        _check_format(marker)
        return
    strangers = [name for name in os.listdir(home) if not name.startswith(_OWN_BEFORE_MARKER)]
    if strangers and not marker.exists():  # another starter may just have made it
        raise RequestError(
            "home_not_empty",
            f"{home} holds other files ({', '.join(sorted(strangers)[:3])}) and is not a data"
            " directory of the embedded AWS. Name an empty one with LLMOPS_HOME.",
        )
    replace(marker, json.dumps({"kind": "embedded-aws", "format": FORMAT}))


def is_ours(home: Path) -> bool:
    return (home / MARKER).exists()


def acquire_lock(home: Path) -> int | None:
    """The exclusive lock as an open descriptor, held until the process ends; None if taken."""
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS  # a looker may hold it for an instant
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(_LOCK_RETRY_SECONDS)
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def lock_holder(home: Path) -> int | None:
    """The process id of the server that holds the directory now, or None."""
    try:
        descriptor = os.open(home / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return int(os.pread(descriptor, 20, 0) or b"0") or None
    finally:
        os.close(descriptor)


def announce(home: Path, announcement: Announcement) -> None:
    replace(home / PORT, str(announcement.port))
    replace(home / ENDPOINT, announcement.model_dump_json())


def last_port(home: Path) -> int:
    """Where the server of this directory answered last; 0 when it never did."""
    try:
        return int((home / PORT).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def withdraw(home: Path) -> None:
    (home / ENDPOINT).unlink(missing_ok=True)


def announcement(home: Path) -> Announcement | None:
    """What the present holder of the lock announced; None before it is ready or without one."""
    try:
        found = Announcement.model_validate_json((home / ENDPOINT).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return found if found.pid == lock_holder(home) else None


def replace(path: Path, text: str) -> None:
    """The old text or the new one, whenever the process dies; readable by its owner alone."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def _check_format(marker: Path) -> None:
    """Formats of the past that can be brought up to date would be migrated here; there is none."""
    try:
        found = json.loads(marker.read_text()).get("format")
    except (ValueError, AttributeError):
        found = None
    if found == FORMAT:
        return
    advice = "Use the version that wrote it, or name another directory with LLMOPS_HOME."
    if isinstance(found, int) and found < FORMAT:
        advice += " `llmops local reset` deletes what it holds and starts afresh."
    raise RequestError(
        "home_version",
        f"{marker.parent} was written in format {found}; this version reads format {FORMAT}."
        f" {advice}",
    )


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
