"""Times of day as people say them in, an expression that needs no clock out; with a clock and a zone
the expression becomes a moment.

Expressions: "18:00" (the next one), "today 18:00", "tomorrow 09:00", "monday 09:00", "next friday
09:00", "in 3 days 09:00", "12-24 18:00", "day 24 18:00", "2026-11-23 18:00", each of them local or with
a zone after it ("18:00 America/New_York"); "in 120 minutes"; "2026-11-23T17:00:00+00:00" (UTC).
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from mlops.errors import RequestError
from mlops.reading.dates import IS_DATE
from mlops.reading.spans import duration
from mlops.reading.words import Token
from mlops.reading.zones import SEASONAL

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
    **dict(zip("mon tue wed thu fri sat sun".split(), _WEEKDAYS, strict=True)),
    "tues": "tuesday",
    "thur": "thursday",
    "thurs": "thursday",
}
_PART = r"(?:morning|afternoon|evening|night|frueh|vormittag|nachmittag|abend|nacht)"
_NAME = rf"(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})"
_WEEK = r"(?:next week|(?:in der )?naechsten? woche)"
_NEXT = r"(?:next|naechsten|naechste)"
DAY = (
    rf"(?:(?:{_WEEK} |(?:on|am|{_NEXT}|this|diesen|coming|kommenden|the) ){{0,3}}"
    rf"{_NAME}(?: {_PART})?(?: (?:in )?{_WEEK})?|tonight|this {_PART})"
)
CLOCK = (
    r"@N : @N(?: : @N)?(?: (?:am|pm|a m|p\.m|uhr|oclock|h))?|@N (?:am|pm|a m|p\.m|oclock)|"
    r"@N uhr(?: @N(?! [a-z$%]))?|@N : \d\d(?:am|pm)|\d{1,2}(?:am|pm)|noon|midnight|midday|mitternacht|"
    r"mittags|half past @N|halb @N|@N h uhr"
)
_LATE = re.compile(
    r"\b(?:pm|p\.m|\d(?:pm)|afternoon|nachmittag|evening|abend|tonight|night)\b|\dpm"
)
_EARLY = re.compile(r"(?:@N |\d)(?:am|a m)\b")
_NAMED = {
    **dict.fromkeys(("noon", "midday", "mittags"), (12, 0, 0)),
    **dict.fromkeys(("midnight", "mitternacht"), (0, 0, 0)),
}
_NEXT_DAY_HOUR = 5  # "tonight at 2" is after midnight
_EXPRESSED = re.compile(
    r"(?:(?P<day>.+?) )?(?P<clock>\d\d:\d\d(?::\d\d)?)(?: (?P<zone>[A-Za-z+-]\S*))?"
)


def expression(tokens: Sequence[Token], said: str) -> str | None:
    """What a moment's tokens say; None where they are no time of day ("25:70")."""
    dated = next((t.name for t in tokens if t.tag == "m"), None)
    zone = next((t.name for t in tokens if t.tag == "u"), "")
    if dated and "T" in dated:
        day, _, clock_said = dated.partition("T")
        return _fixed(day, clock_said, zone)
    clock = _clock(tokens, said)
    if clock is None or dated == "":
        return None
    if _is_either_midnight(tokens, said, dated):
        return None
    text = f"{clock[0]:02d}:{clock[1]:02d}" + (f":{clock[2]:02d}" if clock[2] else "")
    if dated:
        weekday = re.search(rf"\b{_NAME}\b", said)
        named = _DAYS[weekday[0]] if weekday else ""
        return _fixed(f"{named} {dated}" if named in _WEEKDAYS else dated, text, zone)
    return " ".join(part for part in (_day(tokens, said, clock[0]), text, zone) if part)


def moment(expressed: str, now: datetime, zone: tzinfo) -> datetime:
    """The expression as aware UTC; ValueError for what is none, RequestError for a time that is none
    there. A time without a day is the next."""
    if after := re.fullmatch(r"in (\d+(?:\.\d+)?) minutes", expressed):
        return now + timedelta(minutes=float(after[1]))
    if re.match(r"\d{4}-\d\d-\d\dT", expressed):
        read = datetime.fromisoformat(expressed)
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    match = _EXPRESSED.fullmatch(expressed)
    if match is None:
        raise ValueError(f"{expressed!r} is no time")
    day, clock, name = match["day"] or "", time.fromisoformat(match["clock"]), match["zone"]
    zone = _zone(name) if name else zone
    today = now.astimezone(zone).date()
    wanted = _on(_date(day, today), clock, zone, name)
    if not day and wanted <= now:
        wanted = _on(today + timedelta(days=1), clock, zone, name)
    if day in _WEEKDAYS and wanted <= now:
        wanted = _on(_date(day, today) + timedelta(days=7), clock, zone, name)
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


def _is_either_midnight(tokens: Sequence[Token], said: str, dated: str | None) -> bool:
    """ "Friday at midnight" may be how it begins or how it ends."""
    midnight = any(t.key in ("midnight", "mitternacht", "24") and t.tag != "U" for t in tokens)
    day = dated or _day(tokens, said.replace("today", ""), 0)
    return midnight and bool(day)


def _fixed(day: str, clock: str, zone: str) -> str:
    """A date with its time; a moment already where the year and the offset are known."""
    shift = re.search(r"[+-].*", clock)
    if not shift and zone != "UTC" and zone[:1] not in ("+", "-"):
        clock = clock.removesuffix(":00") if clock.count(":") == 2 else clock
        return f"{day} {clock} {zone}".strip()
    if len(day) != 10:
        return f"{day} {clock} {zone}"
    plain = clock[: shift.start()] if shift else clock
    read = datetime.fromisoformat(f"{day}T{plain}")
    ahead = _zone(shift[0] if shift else zone)
    return read.replace(tzinfo=ahead).astimezone(UTC).isoformat()


def _day(tokens: Sequence[Token], said: str, hour: int) -> str:
    """The day of a time, as an expression has it; "" for the next such time."""
    ahead = duration(tokens)
    if ahead is not None:
        return f"in {int(ahead // 86400)} days"
    if re.search(r"\b(?:tonight|heute nacht|heute abend|this evening|this night)\b", said):
        return "" if hour < _NEXT_DAY_HOUR else "today"
    named = re.search(rf"\b{_NAME}\b", said)
    if named is None:
        return "today" if re.search(rf"\bthis {_PART}", said) else ""
    day = _DAYS[named[0]]
    if day not in _WEEKDAYS:
        return day
    if re.search(_WEEK, said):
        return f"next week {day}"
    return f"next {day}" if re.search(rf"\b{_NEXT} {_NAME}", said) else day


def _date(day: str, today: date) -> date:
    weekday, _, rest = day.partition(" ")
    if weekday in _WEEKDAYS and IS_DATE.fullmatch(rest):
        found = _date(rest, today)
        if _WEEKDAYS[found.weekday()] != weekday:
            said = f"{found:%d %B %Y} is a {found:%A}, no {weekday.capitalize()}"
            raise RequestError("bad_time", f"{said}; say which day you mean.")
        return found
    if IS_DATE.fullmatch(day):
        return _calendar_date(day, today)
    if ahead := re.fullmatch(r"in (\d{1,5}) days", day):
        return today + timedelta(days=int(ahead[1]))
    weekday = day.rpartition(" ")[2]
    if weekday in _WEEKDAYS:
        return _weekday(day, _WEEKDAYS.index(weekday), today)
    ahead_days = {"": 0, "today": 0, "tomorrow": 1, "day after tomorrow": 2}
    if day not in ahead_days:
        raise ValueError(f"{day!r} is no day")
    return today + timedelta(days=ahead_days[day])


def _weekday(day: str, index: int, today: date) -> date:
    """ "next friday" is asked about where this week has one to come: people mean either."""
    nearest = today + timedelta(days=(index - today.weekday()) % 7)
    coming = today + timedelta(days=7 - today.weekday() + index)
    if day.startswith("next week"):
        return coming
    if day.startswith("next") and nearest != coming:
        if nearest == today:
            return coming
        days = f"{nearest:%A %d %B} or {coming:%A %d %B}"
        raise RequestError("bad_time", f"{day.capitalize()!r} may be {days}; say the date.")
    return nearest


def _calendar_date(day: str, today: date) -> date:
    """A date without its year, or a day without its month, is the next one."""
    if day.startswith("day "):
        wanted = int(day[4:])
        month = today if wanted >= today.day else today.replace(day=28) + timedelta(days=4)
        return month.replace(day=wanted)
    if len(day) == 10:
        return date.fromisoformat(day)
    this_year = date.fromisoformat(f"{today.year}-{day}")
    return this_year if this_year >= today else this_year.replace(year=today.year + 1)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    if shift := re.fullmatch(r"([+-])(\d\d):(\d\d)", name):
        ahead = timedelta(hours=int(shift[2]), minutes=int(shift[3]))
        return timezone(ahead if shift[1] == "+" else -ahead)
    try:
        return ZoneInfo(SEASONAL.get(name, name))
    except (ValueError, OSError, KeyError) as error:
        message = f"I do not know the time zone {name!r}; say the time in UTC."
        raise RequestError("bad_time", message) from error


def _on(day: date, clock: time, zone: tzinfo, name: str | None) -> datetime:
    """A time that the clocks skip that night is none; nor is winter time in summer."""
    local = datetime.combine(day, clock, zone)
    wanted = local.astimezone(UTC)
    back = wanted.astimezone(zone)
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        message = f"The clocks skip {clock:%H:%M} on {day:%d %B %Y}; say another time."
        raise RequestError("bad_time", message)
    if name in SEASONAL and back.tzname() != name:
        message = (
            f"On {day:%d %B %Y} it is {back.tzname()}, no {name}; say the time in that, or in UTC."
        )
        raise RequestError("bad_time", message)
    return wanted


def _clock(tokens: Sequence[Token], said: str) -> tuple[int, int, int] | None:
    for token in tokens:
        if token.key in _NAMED:
            return _NAMED[token.key]
    numbers = [n for token in tokens for n in _numbers(token)][:3]
    if not numbers or any(t.tag == "N" and t.low != t.number for t in tokens):
        return None
    hour, minute, second = (*numbers, 0, 0)[:3]
    if len(numbers) == 1 and hour >= 100:
        hour, minute = divmod(hour, 100)
    if re.search(r"\bhalf past\b", said):
        minute = 30
    elif re.search(r"\bhalb\b", said):
        hour, minute = (hour - 1) % 12, 30
    if _LATE.search(said) and hour < 12 and not (hour < _NEXT_DAY_HOUR and "night" in said):
        hour += 12
    elif hour == 12 and (_EARLY.search(said) or "tonight" in said):
        hour = 0
    hour = 0 if (hour, minute) == (24, 0) else hour
    is_time = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
    return (hour, minute, second) if is_time else None


def _numbers(token: Token) -> list[int]:
    """18 of "18", 18 and 30 of "18.30", 6 of "6pm"."""
    if token.tag == "N" and "." in token.key:
        return [int(part) for part in token.key.split(".") if part.isdecimal()]
    if token.tag == "N":
        return [int(token.number)] if token.number == int(token.number) else []
    glued = re.fullmatch(r"(\d{1,2})(?:am|pm)", token.key)
    return [int(glued[1])] if glued else []
