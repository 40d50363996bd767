"""When a schedule fires: at(...) and rate(...) expressions as epoch seconds. cron(...) is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localaws.errors import invalid

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class Timing:
    """`at` for a one-time schedule, else a rate from `start` (the first firing) to `end`."""

    at: float | None
    rate_seconds: int | None
    start: float
    end: float

    def first(self) -> float | None:
        """None when it never fires."""
        if self.at is not None:
            return self.at
        return self.start if self.start <= self.end else None

    def after(self, now: float) -> float | None:
        """The next firing after `now`; missed ones are not made up."""
        if self.rate_seconds is None:
            return None
        periods = max(0, int((now - self.start) // self.rate_seconds) + 1)
        due = self.start + periods * self.rate_seconds
        return due if due <= self.end else None


def timing(schedule: Mapping[str, Any]) -> Timing:
    """Raises ValidationException for what cannot be told."""
    text = schedule["ScheduleExpression"]
    zone = _zone(schedule.get("ScheduleExpressionTimezone") or "UTC")
    start, end = schedule.get("StartDate"), schedule.get("EndDate")
    from_time = (start or schedule["LastModificationDate"]).timestamp()
    until = end.timestamp() if end else float("inf")
    if found := _AT.fullmatch(text):
        return Timing(_instant(found[1], zone), None, from_time, until)
    if (seconds := rate_seconds(text)) is not None:
        return Timing(None, seconds, from_time, until)
    if text.startswith("cron("):
        raise invalid("cron(...) is not part of the embedded AWS: use at(...) or rate(...).")
    raise invalid(f"Invalid Schedule Expression {text}.")


def rate_seconds(expression: str) -> int | None:
    """None for what is no rate."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * _UNIT_SECONDS[found[2]] if found and int(found[1]) > 0 else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid(f"Invalid ScheduleExpressionTimezone {name}.") from error


def _instant(text: str, zone: ZoneInfo) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except ValueError as error:
        raise invalid(f"Invalid Schedule Expression at({text}).") from error
