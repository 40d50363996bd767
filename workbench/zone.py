"""The time zone of this machine, as a name of the tz database."""

import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")


def zone_name(environ: Mapping[str, str], localtime: Path = _LOCALTIME) -> str:
    """`LLMOPS_TIMEZONE`, else what TZ says, else where the system's zone points to, else UTC."""
    if said := environ.get("LLMOPS_TIMEZONE"):
        return said
    _, _, linked = os.path.realpath(localtime).partition("zoneinfo/")
    candidates = (environ.get("TZ", "").lstrip(":"), linked.removeprefix("posix/"))
    return next((name for name in candidates if _is_known(name)), "UTC")


def _is_known(name: str) -> bool:
    try:
        return bool(name) and bool(ZoneInfo(name).key)
    except (ValueError, OSError, KeyError):
        return False
