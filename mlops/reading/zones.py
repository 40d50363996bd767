"""The words after a time of day in, the zone they name out: "UTC", "+05:30", "America/New_York",
"EST" (which holds in winter only), or what makes them unclear.
"""

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

# Each with a place where it is used; `mlops.reading.clock` checks that it holds on the day.
SEASONAL = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "CDT": "America/Chicago",
    "MDT": "America/Denver",
    "AKST": "America/Anchorage",
    "AKDT": "America/Anchorage",
    "CET": "Europe/Berlin",
    "CEST": "Europe/Berlin",
    "EET": "Europe/Helsinki",
    "EEST": "Europe/Helsinki",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
    "NZST": "Pacific/Auckland",
    "NZDT": "Pacific/Auckland",
}
_OTHER = {
    "MEZ": "CET",
    "MESZ": "CEST",
    "ET": "America/New_York",
    "PT": "America/Los_Angeles",
    "MT": "America/Denver",
    "CT": "America/Chicago",
    "HST": "Pacific/Honolulu",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "SGT": "Asia/Singapore",
    "HKT": "Asia/Hong_Kong",
    "MSK": "Europe/Moscow",
    "PKT": "Asia/Karachi",
}
# Said in more than one part of the world, or nowhere by law.
_UNCLEAR = (
    "CST IST BST MST AST SST GST AMT WET WEST NST ECT CAT EAT WAT ICT PHT WIB NPT ART BRT".split()
)
_PLACES = {
    "America/New_York": "new york|nyc|boston|washington|atlanta|miami|toronto",
    "America/Chicago": "chicago|dallas|houston|austin",
    "America/Denver": "denver",
    "America/Los_Angeles": "los angeles|san francisco|seattle|california|oregon|vancouver",
    "America/Sao_Paulo": "sao paulo|são paulo",
    "America/Mexico_City": "mexico city",
    "Europe/Berlin": "berlin|munich|münchen|muenchen|hamburg|frankfurt|cologne|köln|koeln|germany",
    "Europe/Paris": "paris",
    "Europe/London": "london|edinburgh|uk",
    "Europe/Dublin": "dublin|ireland",
    "Europe/Zurich": "zurich|zürich|zuerich|switzerland",
    "Europe/Vienna": "vienna|wien",
    "Europe/Madrid": "madrid|barcelona",
    "Europe/Rome": "rome|milan",
    "Europe/Amsterdam": "amsterdam",
    "Europe/Brussels": "brussels",
    "Europe/Stockholm": "stockholm",
    "Europe/Oslo": "oslo",
    "Europe/Copenhagen": "copenhagen",
    "Europe/Helsinki": "helsinki",
    "Europe/Warsaw": "warsaw",
    "Europe/Prague": "prague",
    "Europe/Lisbon": "lisbon",
    "Europe/Athens": "athens",
    "Europe/Istanbul": "istanbul",
    "Europe/Moscow": "moscow",
    "Europe/Kyiv": "kyiv|kiev",
    "Asia/Dubai": "dubai",
    "Asia/Kolkata": "india|kolkata|mumbai|delhi|bangalore|bengaluru",
    "Asia/Singapore": "singapore",
    "Asia/Hong_Kong": "hong kong",
    "Asia/Shanghai": "beijing|shanghai|china",
    "Asia/Tokyo": "tokyo|tokio|japan",
    "Asia/Seoul": "seoul|korea",
    "Australia/Sydney": "sydney|melbourne",
    "Pacific/Auckland": "auckland",
}
_REGIONS = {
    "America/New_York": r"(?:us )?eastern|ostküsten|ostkuesten",
    "America/Chicago": r"(?:us )?central",
    "America/Denver": r"(?:us )?mountain",
    "America/Los_Angeles": r"(?:us )?pacific|westküsten|westkuesten",
    "Europe/Berlin": r"(?:central )european|mitteleuropäische|mitteleuropaeische|german|deutsche",
    "Europe/London": "british",
    "Asia/Kolkata": "indian",
    "Asia/Tokyo": "japanese",
    "Asia/Shanghai": "chinese",
}
_HOSTS = "frankfurt|ireland|london|paris|stockholm|zurich|zürich|zuerich|oregon|tokyo|tokio|singapore|sydney|mumbai"
_OFFSET = r"[+\-−]\s?\d{1,2}(?::?\d\d)?(?![\w:])"
_SHORT = "|".join([*SEASONAL, *_OTHER, *_UNCLEAR])
_PLACE = "|".join(_PLACES.values())
_TIME = r"(?: (?:standard|daylight|summer|winter|local))?(?: |-)?(?:time(?:\s?zone)?|zeit(?:zone)?|tz)\b"
_AREAS = "africa|america|antarctica|arctic|asia|atlantic|australia|europe|indian|pacific|etc|us"
_NO_LIMIT = r"(?!\s{0,3}(?:limit|budget|cap|max\w*|under|below|less|of|at\smost|up\sto|is|[:=<≤]|\$?\d|ein|one|two))"

# After a time of day, in brackets or not.
_PATTERN = (
    r"[\s,(]{0,4}(?:(?:in|at|nach|the) ){0,2}(?P<said>"
    rf"(?P<utc>(?:UTC|GMT)(?:\s?{_OFFSET})?|(?<![\s,(])Z)(?![^\W_])(?:{_TIME})?"
    rf"|(?P<iana>(?:(?:{_AREAS})/[A-Za-z_+-]{{2,30}}(?:/[A-Za-z_]{{2,30}})?\d?\d?"
    rf"|(?-i:[A-Z][a-z]{{2,15}}/[A-Z])[a-z_]{{2,30}}))(?!\w)(?:{_TIME})?"
    rf"|(?P<short>{_SHORT})(?![\w/-])(?:{_TIME}{_NO_LIMIT})?"
    rf"|(?P<region>{'|'.join(_REGIONS.values())})[ns]?{_TIME}{_NO_LIMIT}"
    r"|(?P<coast>(?:us )?(?:eastern|pacific|mountain))(?!\w)"
    rf"|(?P<place>{_PLACE})(?:t?e?r)?{_TIME}{_NO_LIMIT}"
    rf"|(?P<at>(?!(?<=in\s)(?:{_HOSTS}))(?:{_PLACE}))(?![\w/-])"
    r"|(?P<own>(?:my|our|local|meiner|unserer|hiesiger)(?: (?:local|own))? (?:time(?:\s?zone)?|zeit)"
    r"|ortszeit|lokalzeit)\b"
    r"|(?P<not_own>(?:your|server|cluster|aws|their|his|her)(?: local)? time(?:\s?zone)?|serverzeit)\b"
    rf"|(?P<unknown>[^\W\d_]{{2,20}}(?: [^\W\d_]{{2,20}})?{_TIME}){_NO_LIMIT}"
    r"|(?P<letters>(?-i:[A-Z]{3,5}))(?![\w./-])"
    r")\)?"
)
ZONE = re.compile(_PATTERN.replace(" ", r"\s{1,4}"), re.IGNORECASE)
# A number of hours straight after the clock; a minus may as well be a range.
SHIFT = re.compile(
    r"\s?(?P<shift>\+\d{1,2}(?::?\d\d)?|[\-−]\d\d:?\d\d)"
    r"(?![\w:]|[.,]\d|\s?(?:[%$€]|(?:min|sec|h|m|usd|dollar|epoch|std|stunde)))"
)
ELSEWHERE = re.compile(
    r"\b(?:utc|gmt|time ?zones?|zeitzonen?|pst|pdt|edt|cet|cest|mez|mesz|jst)\b(?! (?:is )?my)"
)
UNCLEAR = "?"


class Zone(NamedTuple):
    """`name` is "" for the person's own, `UNCLEAR` for what cannot be told."""

    name: str
    start: int
    end: int


def named(match: re.Match[str]) -> Zone:
    """The zone of a match of `ZONE`."""
    span = match.span("said")
    if utc := match["utc"]:
        shift = re.sub(r"[^\d:+−-]", "", utc)
        return Zone(offset(shift) if shift else "UTC", *span)
    if iana := match["iana"]:
        return Zone(_iana(iana), *span)
    if short := match["short"]:
        short = short.upper()
        return Zone(short if short in SEASONAL else _OTHER.get(short, UNCLEAR), *span)
    if match["own"]:
        return Zone("", *span)
    words = match["region"] or match["coast"] or match["place"] or match["at"] or ""
    return Zone(_of_place(" ".join(words.casefold().split())), *span)


def offset(said: str) -> str:
    """ "+5:30", "-0800" → "+05:30", "-08:00"."""
    digits = re.sub(r"\D", "", said)
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "00")
    if int(hours) > 14 or int(minutes) > 59:
        return UNCLEAR
    return f"{'+' if said.startswith('+') else '-'}{int(hours):02d}:{minutes}"


def _iana(said: str) -> str:
    """As the database spells it: "europe/berlin" → "Europe/Berlin"."""
    parts = [_capitals(part) for part in said.split("/")]
    name = "/".join(parts)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        return UNCLEAR


def _capitals(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return "_".join(word[:1].upper() + word[1:].lower() for word in part.split("_"))


def _of_place(words: str) -> str:
    for table in (_REGIONS, _PLACES):
        for name, pattern in table.items():
            if words and re.fullmatch(pattern, words):
                return name
    return UNCLEAR
