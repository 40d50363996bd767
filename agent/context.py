"""A conversation without end in, one that fits a model out: old turns become lines of facts, the latest stay word for word.

Old turns give way in steps: between two of them the beginning stays the same, so that it is cached.
"""

import re
from collections.abc import Sequence

from agent.digests import digest
from agent.messages import Message, assistant, size, user
from mlops.dialogue.exchanges import framed, is_framed

MAX_CHARS = 120_000
"""What a conversation may hold before its old turns give way."""
KEPT_CHARS = 40_000
"""What stays word for word then."""
MAX_WINDOW_CHARS = 150_000
"""What a model is shown within one turn."""
_MAX_DIGEST_CHARS = 24_000
_TITLE = "Earlier turns of this conversation, in short. The whole is in the log."
_LEFT_OUT = "- before these: {} turns"
_COUNT = re.compile(r"- before these: (\d+) turns")
_HEARD = "I keep that in mind."


def condensed(
    messages: list[Message], limit: int = MAX_CHARS, keep: int = KEPT_CHARS
) -> list[Message]:
    """The same list while it fits; the last turn always stays whole."""
    if size(messages) <= limit:
        return messages
    lines, turns = _parted(messages)
    kept = _newest(turns, keep)
    old = turns[: len(turns) - len(kept)]
    if not old:
        return messages
    digests = _shortened([*lines, *(digest(turn) for turn in old)])
    note = user(framed("\n".join([_TITLE, *digests])))
    return [note, assistant(_HEARD), *(message for turn in kept for message in turn)]


def window(messages: list[Message], limit: int = MAX_WINDOW_CHARS) -> list[Message]:
    """What a model is shown of a turn that has grown large."""
    return condensed(messages, limit, limit // 2)


def without_reasoning(messages: list[Message]) -> list[Message]:
    """The same list where nothing was thought aloud; one model cannot read another's thoughts."""
    if not any("reasoningContent" in b for m in messages for b in m["content"]):
        return messages
    left = [
        {**m, "content": [b for b in m["content"] if "reasoningContent" not in b]}
        for m in messages
    ]
    return [m if m["content"] else {**m, "content": [{"text": "…"}]} for m in left]


def _parted(messages: Sequence[Message]) -> tuple[list[str], list[list[Message]]]:
    """The digests at its beginning, one for each turn, and the turns that are whole."""
    digests: list[str] = []
    rest = list(messages)
    if rest and (told := _digests_in(rest[0])):
        digests, rest = told, rest[2:]
    turns: list[list[Message]] = []
    for message in rest:
        if not turns or _begins(message):
            turns.append([])
        turns[-1].append(message)
    return digests, turns


def _digests_in(message: Message) -> list[str]:
    text = str(message["content"][0].get("text", "")) if message["content"] else ""
    if not is_framed(text) or _TITLE not in text:
        return []
    lines = text.partition(f"{_TITLE}\n")[2]
    return re.split(r"\n(?=- )", lines)


def _begins(message: Message) -> bool:
    """A turn begins with words of a person, or with a note in their place."""
    return message["role"] == "user" and any("text" in block for block in message["content"])


def _newest(turns: list[list[Message]], keep: int) -> list[list[Message]]:
    """The latest turns that fit, oldest first; at least one."""
    kept: list[list[Message]] = []
    left = keep
    for turn in reversed(turns):
        left -= size(turn)
        if kept and left < 0:
            break
        kept.insert(0, turn)
    return kept


def _shortened(digests: list[str]) -> list[str]:
    """The latest that fit; how many were left out, now and before, is the first line."""
    before = _COUNT.match(digests[0])
    left_out = int(before[1]) if before else 0
    digests = digests[1:] if before else digests
    while sum(map(len, digests)) > _MAX_DIGEST_CHARS:
        digests, left_out = digests[1:], left_out + 1
    return [*([_LEFT_OUT.format(left_out)] if left_out else []), *digests]
