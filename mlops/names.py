"""Dataset names: what a person writes in, the name of one stored dataset out."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from mlops.errors import Alternative, RequestError
from mlops.excerpts import excerpt

MAX_NAME_CHARACTERS = 63
NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"

_NOISE = frozenset(
    "a an the my our dataset datasets data set corpus collection "
    "der die das den dem datensatz daten korpus".split()
)
_IMPORT = (
    "To import your own: `llmops datasets import PATH --name NAME`, or upload it under Datasets."
)
# One letter is left for importing another.
_MOST_OFFERED = 9


def slug(name: str) -> str:
    """A name fit for keys and addresses; raises RequestError when none can be made."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")
    if re.fullmatch(NAME_PATTERN, made):
        return made
    if len(made) > MAX_NAME_CHARACTERS:
        fault = f"is longer than {MAX_NAME_CHARACTERS} characters"
    else:
        fault = "holds no letter from a to z and no digit"
    raise RequestError("bad_dataset_name", f"{_shown(name)} {fault}; choose another name.")


def resolve(wanted: str, names: Sequence[str]) -> str:
    """The stored name that is meant: exact, or equal without case, punctuation and "dataset".

    A name never resolves to a longer one ("cier" is not "cier-small"). Raises RequestError that
    lists near matches and how to import.
    """
    if wanted in names:
        return wanted
    for key in (_key(wanted), _key(_without_noise(wanted))):
        matches = [name for name in names if key and _key(name) == key]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _unknown(f"{_shown(wanted)} may mean several datasets.", sorted(matches))
    if not names:
        raise _unknown("There are no datasets yet.", [])
    near = _near(wanted, names)
    others = [name for name in sorted(names) if name not in near]
    raise _unknown(f"There is no dataset {_shown(wanted)}.", near, others)


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in plain if character.isalnum())


def _without_noise(wanted: str) -> str:
    words = re.findall(r"[^\W_]+", wanted.casefold())
    while words and words[-1] in _NOISE:
        words.pop()
    while words and words[0] in _NOISE:
        words.pop(0)
    return " ".join(words)


def _near(wanted: str, names: Sequence[str]) -> list[str]:
    """At most five: similar spellings first, then names that contain the wanted one."""
    key = _key(_without_noise(wanted))[:MAX_NAME_CHARACTERS]
    keys = {name: _key(name) for name in sorted(names)}
    close = get_close_matches(key, keys.values(), n=5, cutoff=0.6)
    ranked = [name for match in close for name in keys if keys[name] == match]
    ranked += [name for name in keys if len(key) > 1 and (key in keys[name] or keys[name] in key)]
    return list(dict.fromkeys(ranked))[:5]


def _unknown(reason: str, near: Sequence[str], others: Sequence[str] = ()) -> RequestError:
    """What is near comes first, then whatever else there is."""
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    alternatives = [
        Alternative(kind="dataset", message=f"Use the dataset {n}.", changes={"dataset": n})
        for n in [*near, *others][:_MOST_OFFERED]
    ]
    alternatives.append(Alternative(kind="dataset", message="Import your own, as said above."))
    return RequestError("unknown_dataset", f"{reason}{hint} {_IMPORT}", tuple(alternatives))


def _shown(text: str) -> str:
    return repr(excerpt(text, 80))
