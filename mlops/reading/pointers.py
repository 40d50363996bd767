"""A reading in, what it points back to out: "that instance", "the same budget", "it"."""

from mlops.reading.intents import Intent
from mlops.reading.quantities import Reading

_KINDS = {
    "instance": frozenset("instance instances gpu gpus machine instanz maschine cpu".split()),
    "dataset": frozenset("dataset data corpus datensatz korpus daten".split()),
    "budget": frozenset("budget money".split()),
    "model": frozenset("model modell".split()),
    "job": frozenset("job training run auftrag lauf".split()),
}
_POINTERS = frozenset(
    "that this it those these same previous last former dieser diese dieses diesem diesen derselben "
    "dieselbe demselben gleiche gleichen damit darauf es vorherigen letzten".split()
)
_USING = frozenset(
    "use using with on take pick choose onto upon via nimm nutze verwende mit auf".split()
)


def references(reading: Reading, intent: Intent, said: frozenset[str]) -> tuple[str, ...]:
    """What "that instance", "the same budget", "use that" point back to; nothing that is named."""
    found: set[str] = set()
    for i, token in enumerate(reading.tokens):
        if token.key in _POINTERS:
            found |= _pointed_at(reading, i, intent, said)
    named = {"instance" if clause == "instance_type" else clause[:6] for clause in said}
    return tuple(
        kind for kind in _KINDS if kind in found and kind[:6] not in {n[:6] for n in named}
    )


def _pointed_at(reading: Reading, i: int, intent: Intent, said: frozenset[str]) -> set[str]:
    key = reading.tokens[i].key
    following = reading.tokens[i + 1 : i + 4]
    for token in following:
        if token.tag in ",.!&" or token.tag in "pwiK":
            break
        if kind := next((k for k, words in _KINDS.items() if token.key in words), None):
            return {kind}
    if key in ("same", "gleiche", "gleichen"):
        return {"instance", "dataset", "budget", "model"}
    if intent in (Intent.STOP, Intent.JOBS):
        return {"job"}
    before = reading.tokens[i - 1].key if i else ""
    is_one = bool(following) and following[0].key == "one" and key not in ("it", "es")
    if key in ("damit", "darauf") or is_one or before in _USING:
        return {"instance"} if "dataset" in said else {"instance", "dataset"}
    return set()
