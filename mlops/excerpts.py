"""Text of any length in, one line of it out that is short enough for a title or a label."""


def excerpt(text: str, most: int) -> str:
    """At most so many characters, cut between words where there are some, and marked when cut."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    head = line[: most - 1]
    whole = head if line[most - 1] == " " else head.rpartition(" ")[0]
    return f"{(whole or head).rstrip(' .,;:')}…"
