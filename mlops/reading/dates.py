"""Dates as people write them in, expressions that need no clock out: "2026-12-24", "12-24", "day 24",
or with its time "2026-12-24T18:00:00+05:30"; an empty one where nobody can tell the day.
"""

import re
from datetime import date, datetime

_MONTHS = (
    "jan january januar jaenner jänner|feb february februar|mar march maerz märz mrz|apr april|"
    "may mai|jun june juni|jul july juli|aug august|sep sept september|oct october okt oktober|"
    "nov november|dec december dez dezember"
)
_MONTH_OF = {
    name: number
    for number, names in enumerate(_MONTHS.split("|"), start=1)
    for name in names.split()
}
_MONTH = rf"(?:{'|'.join(sorted(_MONTH_OF, key=len, reverse=True))})(?![^\W_])\.?"
_YEAR = r"(?:,?\s{1,4}(?P<year_{0}>20\d\d)(?![\d:]))?"
# What follows a number that is no day: "may 1 hour", "march 5%".
_COUNTED = (
    r"(?!\d|[:.,]\d|\s{0,2}(?:%|\$|€|(?:usd|dollars?|bucks?|cents?|euros?|m|mins?|minutes?|minuten|h|"
    r"hours?|stunden?|days?|tage|weeks?|wochen|sec\w*|epochs?|epochen|am|pm|gpus?)\b))"
)
# "10 may be enough" names no month.
_VERB = r"(?!(?<=may)\s{1,4}(?:be|take|cost|not|need|run|use|have|go|i|we|you|it|also|only)\b)"
# What leads to a date, and to the time after one: "24.12" alone is a number.
_LED_BY = "|".join(
    rf"(?<=\b{word}\s)" for word in "am on ab vom zum bis by den der for before until vor".split()
)
_LED = rf"(?:{_LED_BY}|(?<=tag\s)|(?<=tag,\s))"
_THEN = (
    r"(?=,?\s{1,4}(?:(?:um|at|ab|gegen|fruehestens|frühestens)\s{1,4}(?:\d|noon|midnight|mittag|"
    r"mitternacht)|\d{1,2}:\d\d|"
    r"\d{1,2}\s?(?:uhr|[ap]\.?m)\b))"
)

DATE = re.compile(
    r"(?<![\w./$€£-])(?:"
    r"(?P<iso>\d{4}-\d\d-\d\d)(?:T(?P<clock>\d{1,2}:\d\d(?::\d\d)?)(?:\.\d{1,9})?"
    r"(?P<offset>Z|[+\-−]\d\d(?::?\d\d)?)?)?(?![\w:])"
    r"|(?P<day_a>\d{1,2})\.\s?(?P<month_a>\d{1,2})\.\s?(?P<year_a>20\d\d|\d\d(?![\d:.]))(?!\d)"
    rf"|{_LED}(?P<day_b>\d{{1,2}})\.\s?(?P<month_b>\d{{1,2}})(?:\.(?!\d)|(?![\w.,%:$€])"
    r"(?!\s{0,2}(?:%|\$|€|(?:usd|dollars?|euros?|uhr|min\w*|h|hours?|stunden?)\b)))"
    rf"|(?P<day_c>\d{{1,2}})\.\s?(?P<month_c>\d{{1,2}})\.?{_THEN}"
    r"|(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year_s>20\d\d|\d\d)(?![\w/])"
    rf"|(?P<first_b>\d{{1,2}})/(?P<second_b>\d{{1,2}})(?:{_THEN}|(?<=\s\d\d/\d\d)(?![\w/])(?=\s\d\d:))"
    rf"|(?P<day_d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s{{0,3}}(?:of\s{{1,4}})?(?P<name_d>{_MONTH}){_VERB}"
    rf"{_YEAR.replace('{0}', 'd')}"
    rf"|(?P<name_e>{_MONTH})\s{{1,4}}(?:the\s{{1,4}})?(?P<day_e>\d{{1,2}})(?:st|nd|rd|th)?"
    rf"{_YEAR.replace('{0}', 'e')}{_COUNTED}"
    r"|(?:(?<=\bon\s)the\s{1,4}(?P<day_f>\d{1,2})(?:st|nd|rd|th)|(?<=\bam\s)(?P<day_g>\d{1,2})\."
    rf"{_THEN}|the\s{{1,4}}(?P<day_h>\d{{1,2}})(?:st|nd|rd|th){_THEN})"
    r"(?P<of>\s{1,4}of\s{1,4}\w{1,9}\s{1,4}month)?"
    r")",
    re.IGNORECASE,
)
IS_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d-\d\d|day \d{1,2}")


def said_date(match: re.Match[str]) -> str:
    """The expression for a match of `DATE`; "" where there is no such day, or two."""
    found = match.groupdict()
    if found["iso"]:
        return _iso(found)
    if found["of"]:
        return ""
    if alone := found["day_f"] or found["day_g"] or found["day_h"]:
        return f"day {int(alone)}" if 1 <= int(alone) <= 31 else ""
    if first := found["first"] or found["first_b"]:
        second = int(found["second"] or found["second_b"] or 0)
        return _slashed(int(first), second, found["year_s"])
    for form in "abcde":
        if day := found[f"day_{form}"]:
            name = (found.get(f"name_{form}") or "").casefold().rstrip(".")
            month = _MONTH_OF.get(name) or int(found[f"month_{form}"] or 0)
            return _expressed(found.get(f"year_{form}"), month, int(day))
    return ""


def _iso(found: dict[str, str | None]) -> str:
    day, clock = found["iso"] or "", found["clock"] or ""
    offset = (found["offset"] or "").replace("−", "-").upper()
    try:
        date.fromisoformat(day)
        if not clock:
            return day
        return datetime.fromisoformat(f"{day}T{clock.zfill(5)}{offset}").isoformat()
    except ValueError:
        return ""


def _slashed(first: int, second: int, year: str | None) -> str:
    """ "12/24/2026" and "24/12/2026" are one day; "5/6/2026" may be two."""
    days = {_expressed(year, first, second), _expressed(year, second, first)} - {""}
    return days.pop() if len(days) == 1 else ""


def _expressed(year: str | None, month: int, day: int) -> str:
    whole = int(year or 2024)  # a leap year: 29 February may come
    try:
        read = date(whole if whole > 99 else 2000 + whole, month, day)
    except ValueError:
        return ""
    return read.isoformat() if year else f"{read:%m-%d}"
