"""A reading in, the clauses that name something out: dataset, task, model, instance, spot, region.

What is only excluded ("not on g5") is a problem: the rules choose by what is wanted.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from mlops.reading.clauses import Mention, Problem, choose, is_excluded
from mlops.reading.quantities import Reading
from mlops.reading.words import Token

_END = r"(?=[,.&/wpqit<>~BTFKCMZYE!v]|$)"
_DATASET_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[dD]=?:o?(?P<name>[xX])",
        r"[pqowb>]z?(?P<name>[xX][xXNz]{0,2})[dD]",
        rf"d(?P<name>[xX]{{1,3}}){_END}",
        r"(?P<name>[xX][xXNz]{0,2})[dD]",
        rf"[pq]o?(?P<name>[xX]{{1,3}}N?)(?=z|{_END[3:-1]})",
        r"qo?(?P<name>[xX])(?![GIJLSxX])",
        r"(?:^|[,.wKtb&])o?(?P<name>X)(?=[,.<>wi&M]|$)",
        r"[tK](?P<name>[xX])(?=[,.<>wiMZYz]|$)",
        r"K[^.]{0,40}?,(?P<name>x)(?=,|$)",
    )
)
_SINGULAR = frozenset("dataset corpus datensatz korpus".split())
_NAMING = frozenset("called named genannt namens == = :".split())
_SLUG = re.compile(r"(?=.*[^\W\d_])(?=.*[\d_/-])[^\W_].*")
_CLOCK = re.compile(r"\d{1,2}(?:am|pm)")
_WEAK_TASK = frozenset("classification classify classifier classifying".split())
_CITIES = {
    "frankfurt": "eu-central-1",
    "ireland": "eu-west-1",
    "irland": "eu-west-1",
    "london": "eu-west-2",
    "paris": "eu-west-3",
    "stockholm": "eu-north-1",
    "zurich": "eu-central-2",
    "zuerich": "eu-central-2",
    "oregon": "us-west-2",
    "virginia": "us-east-1",
    "ohio": "us-east-2",
    "tokyo": "ap-northeast-1",
    "tokio": "ap-northeast-1",
    "singapore": "ap-southeast-1",
    "sydney": "ap-southeast-2",
    "mumbai": "ap-south-1",
}
_EARLY = frozenset(
    "early fruehes fruehen fruehzeitiges fruehzeitigen vorzeitiges vorzeitigen".split()
)
_STOPPING = frozenset("stop stops stopping stopp stoppen abbruch abbrechen".split())
_EARLY_STOP = frozenset("early-stop early-stopping earlystopping".split())
_EPOCHS = frozenset("epoch epochs epoche epochen passes iterations iterationen".split())
_OFF = frozenset("no false off nein aus".split())
# Another name after "on cier …": "and cier-small", ", cier-small and ncbi for $5".
_NAME_AFTER = re.compile(r"[dD]?(?:,o?[xX]{1,2})*,?&o?(?P<name>X{1,2}N?|x{1,2}(?=[dD,.<>wMYN]|$))")
# One before "… and ncbi": "the cier and the ncbi datasets", "both cier and cier-small".
_NAME_BEFORE = re.compile(r"(?P<name>[xX])&o?$")
_DEEDS = frozenset(
    "evaluate report deploy compare publish save notify email mail send register optimize optimise "
    "push score measure predict wait finish log monitor track export store return watch benchmark "
    "cross-validate validate hyperparameter-tune commit share serve experiment improve maximize "
    "maximise minimize minimise document iterate repeat continue berichte melde speichere".split()
)


def dataset(reading: Reading) -> Mention | Problem | None:
    """The dataset as written, lower case, joined by dashes: "ciER" → "cier"."""
    tags = _name_tags(reading)
    for pattern in _DATASET_PATTERNS:
        spans = [(m.start("name"), m.end("name") - 1) for m in pattern.finditer(tags)]
        found = [Mention(_joined(reading, *span), *span) for span in spans]
        if chosen := choose(reading, "dataset", found):
            return _with_second(reading, tags, chosen)
    return None


def task(reading: Reading) -> Mention | Problem | None:
    """The Hub's name; "classify the entities" is about entities."""
    found = list(_tagged(reading, "K", lambda token: token.name))
    strong = [m for m in found if reading.tokens[m.first].key not in _WEAK_TASK]
    return choose(reading, "task", strong or found)


def model(reading: Reading) -> Mention | Problem | None:
    """A model by its name, or whatever follows "model:"."""
    found = list(_tagged(reading, "L", lambda token: token.name or token.key))
    for i, token in enumerate(reading.tokens[:-2]):
        is_named = token.key in ("model", "modell") and reading.tokens[i + 1].key in _NAMING
        if is_named and reading.tags[i + 2] == "x":
            found.append(Mention(reading.tokens[i + 2].key, i + 2, i + 2))
    return choose(reading, "model", found) or _excluded(reading, "model", found)


def instance_type(reading: Reading) -> Mention | Problem | None:
    """ "G5 xlarge" → "ml.g5.xlarge"; a family or a chip alone is a problem."""
    found = list(_tagged(reading, "I", _instance_name))
    if chosen := choose(reading, "instance_type", found):
        return chosen
    partial = list(_tagged(reading, "J", lambda token: token.key))
    if problem := _excluded(reading, "instance_type", [*found, *partial]):
        return problem
    if not partial:
        return None
    said = reading.words(partial[0].first, partial[0].last)
    message = f"{said!r} is no instance type; say one with its size, such as ml.g5.xlarge."
    return Problem(clause="instance_type", message=message)


def region(reading: Reading) -> Mention | Problem | None:
    """ "eu-central-1", "in Frankfurt"."""
    found = list(_tagged(reading, "R", lambda token: token.key))
    for i, token in enumerate(reading.tokens):
        led = i > 0 and (reading.tags[i - 1] in "i=" or reading.tokens[i - 1].key == "region")
        if led and token.key in _CITIES:
            found.append(Mention(_CITIES[token.key], i, i))
    return choose(reading, "region", found)


def spot(reading: Reading) -> tuple[bool, int, int] | None:
    """Wanted or not, and the tokens that say so; None when both or neither are said."""
    said = [_spot_at(reading, i) for i, tag in enumerate(reading.tags) if tag in "PQ"]
    wanted = {wants for wants, _, _ in said}
    return said[0] if len(wanted) == 1 else None


def early_stop(reading: Reading) -> tuple[bool, int, int] | None:
    """Whether a stage may be stopped early ("no early stopping"), and the tokens that say so."""
    keys = [token.key for token in reading.tokens]
    for i, key in enumerate(keys):
        pair = {key, *keys[i + 1 : i + 2]}
        if key in _EARLY_STOP or (len(pair) == 2 and pair & _EARLY and pair & _STOPPING):
            last = i if key in _EARLY_STOP else i + 1
            led = re.compile(r"![ao]?$").search(reading.tags, 0, i)
            return led is None, led.start() if led else i, last
    return None


def epochs(reading: Reading) -> tuple[int, int, int] | None:
    """Passes over the data as said ("5 epochs"), and the tokens that say so; 1 to 1000."""
    for i, token in enumerate(reading.tokens[1:], start=1):
        number = reading.tokens[i - 1]
        whole = number.tag == "N" and number.number == int(number.number)
        if token.key in _EPOCHS and whole and 1 <= number.number <= 1000:
            return int(number.number), i - 1, i
    return None


def _with_second(reading: Reading, tags: str, chosen: Mention | Problem) -> Mention | Problem:
    """A problem when another name is joined to it by "and" or "or"."""
    if isinstance(chosen, Problem):
        return chosen
    match = _NAME_AFTER.match(tags, chosen.last + 1) or _before(reading, tags, chosen)
    if match is None or reading.tokens[match.start("name")].key in _DEEDS:
        return chosen
    spans = sorted([(chosen.first, chosen.last), (match.start("name"), match.end("name") - 1)])
    first, second = (reading.words(*span) for span in spans)
    message = f"You said {first!r} and {second!r}; one dataset at a time: say which one."
    return Problem(clause="dataset", message=message)


def _before(reading: Reading, tags: str, chosen: Mention) -> re.Match[str] | None:
    match = _NAME_BEFORE.search(tags, 0, chosen.first)
    is_both = match and match.start() and reading.tokens[match.start() - 1].key == "both"
    return match if is_both or tags[chosen.last + 1 : chosen.last + 2] == "D" else None


def _spot_at(reading: Reading, i: int) -> tuple[bool, int, int]:
    wants, first, last = reading.tags[i] == "P", i, i
    led = re.compile(r"![=aotpwzxGB]{0,4}$").search(reading.tags[max(i - 6, 0) : i])
    if led:
        wants, first = not wants, max(i - 6, 0) + led.start()
    answer = re.compile(r"G?=?[!zx]").match(reading.tags, i + 1)
    if answer and reading.tokens[answer.end() - 1].key in _OFF and not led:
        wants, last = not wants, answer.end() - 1
    return wants, first, last


def _name_tags(reading: Reading) -> str:
    return "".join(_name_tag(reading, i, token) for i, token in enumerate(reading.tokens))


def _name_tag(reading: Reading, i: int, token: Token) -> str:
    """For names: X has the shape of one ("cier-small"), d is one dataset, q "on", : "called"."""
    before = reading.tags[i - 1] if i else ""
    if token.tag == "x" or (token.is_typo and before == "p" and token.tag not in "DBT"):
        if token.key.endswith("ly") or _CLOCK.fullmatch(token.key):
            return "z"
        return "X" if _SLUG.fullmatch(token.key) else "x"
    if token.key in _NAMING:
        return ":"
    if token.key in ("or", "oder"):
        return "&"
    if token.key in ("on", "auf"):
        return "q"
    return "d" if token.key in _SINGULAR else token.tag


def _joined(reading: Reading, first: int, last: int) -> str:
    """ "NCBI disease" → "ncbi-disease"."""
    words = reading.words(first, last)
    return re.sub(r"\s+", "-", unicodedata.normalize("NFC", words).casefold())


def _tagged(reading: Reading, tag: str, value: Callable[[Token], str]) -> Iterator[Mention]:
    for i, token in enumerate(reading.tokens):
        if token.tag == tag:
            yield Mention(value(token), i, i)


def _instance_name(token: Token) -> str:
    plain = re.sub(r"[\s-]+(?=\d*xlarge)", ".", token.key)
    return plain if plain.startswith("ml.") else f"ml.{plain}"


def _excluded(reading: Reading, clause: str, found: list[Mention]) -> Problem | None:
    for mention in found:
        if is_excluded(reading, mention):
            said = reading.words(mention.first, mention.last)
            message = f"I cannot leave {said!r} out; say which one to use, or leave it open."
            return Problem(clause=clause, message=message)
    return None
