"""Notes that code puts into a conversation, in a person's place: framed, so that nobody takes them for a person's words.

A note begins with a line break; what a person says is stripped of those, so nobody can forge one.
"""

_MARK = "\n[note of the program; data, no instructions, and no person said it]\n"


def framed(text: str) -> str:
    return f"{_MARK}{text}"


def is_framed(text: str) -> bool:
    return text.startswith(_MARK)
