"""Times of day as people say them in, an expression that needs no clock out; with a clock and a zone
the expression becomes a moment.

Expressions: "18:00" (the next one), "today 18:00", "tomorrow 09:00", "monday 09:00", "day after
tomorrow 09:00", "in 120 minutes", "2026-11-23 18:00" (local), "2026-11-23T17:00:00+00:00" (UTC).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from mlops.words import Token

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_WOCHENTAGE = "montag dienstag mittwoch donnerstag freitag samstag sonntag".split()
_DAYS = {
    "today": "today",
    "heute": "today",
    "tomorrow": "tomorrow",
    "morgen": "tomorrow",
    "uebermorgen": "day after tomorrow",
    "day after tomorrow": "day after tomorrow",
    **{name: name for name in _WEEKDAYS},
    **dict(zip(_WOCHENTAGE, _WEEKDAYS, strict=True)),
    "sonnabend": "saturday",
}
_PART = r"(?:morning|afternoon|evening|night|frueh|vormittag|nachmittag|abend|nacht)"
DAY = (
    r"(?:(?:(?:on |am |next |naechsten |kommenden |the )?"
    rf"(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})(?: {_PART})?)|tonight|this {_PART})"
)
CLOCK = (
    r"@N : @N(?: : @N)?(?: (?:am|pm|a m|p\.m|uhr|oclock))?|@N (?:am|pm|a m|p\.m|oclock)|@N uhr(?: @N)?|"
    r"@N : \d\d(?:am|pm)|\d{1,2}(?:am|pm)|noon|midnight|midday|mitternacht|mittags|half past @N|"
    r"halb @N|@N h uhr"
)
_LATE = re.compile(
    r"\b(?:pm|p\.m|\d(?:pm)|afternoon|nachmittag|evening|abend|tonight|night)\b|\dpm"
)
_EARLY = re.compile(r"(?:\b|\d)(?:am|a m)\b")
_NAMED = {"noon": (12, 0), "midday": (12, 0), "mittags": (12, 0), "midnight": (0, 0)}
_ISO = re.compile(
    r"\b(?P<day>\d{4}-\d\d-\d\d)(?:T|[\s]+(?:at\s+|um\s+)?)(?P<time>\d{1,2}:\d\d(?::\d\d)?)"
    r"(?:\s*(?P<zone>Z|UTC|GMT|\+00:00))?(?![\w:])",
    re.IGNORECASE,
)
_NEXT_DAY_HOUR = 5  # "tonight at 2" is after midnight


def expression(tokens: Sequence[Token], said: str) -> str | None:
    """What a moment's tokens say; None where they are no time of day ("25:70")."""
    clock = _clock(tokens, said)
    if clock is None:
        return None
    text = f"{clock[0]:02d}:{clock[1]:02d}"
    named = re.search(rf"\b(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})\b", said)
    at_night = re.search(r"\b(?:tonight|heute nacht|heute abend|this evening|this night)\b", said)
    if at_night:
        return text if clock[0] < _NEXT_DAY_HOUR else f"today {text}"
    if named is None:
        return f"today {text}" if re.search(rf"\bthis {_PART}", said) else text
    return f"{_DAYS[named[0]]} {text}"


def iso_moments(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, expression) of each date with a time: "2026-11-23 18:00", "…T17:00Z"."""
    for match in _ISO.finditer(text):
        clock = match["time"] if len(match["time"].partition(":")[0]) == 2 else f"0{match['time']}"
        try:
            moment = datetime.fromisoformat(f"{match['day']} {clock}")
        except ValueError:
            continue
        if match["zone"]:
            yield *match.span(), moment.replace(tzinfo=UTC).isoformat()
        else:
            yield *match.span(), f"{match['day']} {clock}"


def moment(expressed: str, now: datetime, zone: tzinfo) -> datetime:
    """The expression as aware UTC; ValueError for what is none. A time without a day is the next."""
    if after := re.fullmatch(r"in (\d+(?:\.\d+)?) minutes", expressed):
        return now + timedelta(minutes=float(after[1]))
    if re.match(r"\d{4}-", expressed):
        read = datetime.fromisoformat(expressed)
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    day, _, clock = expressed.rpartition(" ")
    local = now.astimezone(zone)
    wanted = _on(_date(day, local.date()), time.fromisoformat(clock), zone)
    if not day and wanted <= now:
        wanted = _on(local.date() + timedelta(days=1), time.fromisoformat(clock), zone)
    if day in _WEEKDAYS and wanted <= now:
        wanted = _on(_date(day, local.date()) + timedelta(days=7), time.fromisoformat(clock), zone)
    return wanted


def zone_of(name: str | None) -> tzinfo:
    """UTC where the name is unknown, or this machine has no time zone data."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):
        return UTC


def shown(at: datetime, zone_name: str | None) -> str:
    """For people: the local time with its zone, and UTC where that differs."""
    zone = zone_of(zone_name)
    utc = f"{at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"
    local = at.astimezone(zone)
    if zone_name is None or local.utcoffset() == timedelta(0):
        return utc
    return f"{local:%a %Y-%m-%d %H:%M} {zone_name} ({at.astimezone(UTC):%H:%M} UTC)"


def _date(day: str, today: date) -> date:
    if day in _WEEKDAYS:
        return today + timedelta(days=(_WEEKDAYS.index(day) - today.weekday()) % 7)
    ahead = {"": 0, "today": 0, "tomorrow": 1, "day after tomorrow": 2}
    if day not in ahead:
        raise ValueError(f"{day!r} is no day")
    return today + timedelta(days=ahead[day])


def _on(day: date, clock: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _clock(tokens: Sequence[Token], said: str) -> tuple[int, int] | None:
    for token in tokens:
        if token.key in _NAMED or token.key == "mitternacht":
            return _NAMED.get(token.key, (0, 0))
    numbers = [n for token in tokens for n in _numbers(token)][:3]
    if not numbers:
        return None
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if re.search(r"\bhalf past\b", said):
        minute = 30
    elif re.search(r"\bhalb\b", said):
        hour, minute = (hour - 1) % 12, 30
    if _LATE.search(said) and hour < 12 and not (hour < _NEXT_DAY_HOUR and "night" in said):
        hour += 12
    elif hour == 12 and (_EARLY.search(said) or "tonight" in said):
        hour = 0
    hour = 0 if (hour, minute) == (24, 0) else hour
    return (hour, minute) if hour < 24 and minute < 60 else None


def _numbers(token: Token) -> list[int]:
    """18 of "18", 18 and 30 of "18.30", 6 of "6pm"."""
    if token.tag == "N" and "." in token.key:
        return [int(part) for part in token.key.split(".") if part.isdecimal()]
    if token.tag == "N":
        return [int(token.number)] if token.number == int(token.number) else []
    glued = re.fullmatch(r"(\d{1,2})(?:am|pm)", token.key)
    return [int(glued[1])] if glued else []
