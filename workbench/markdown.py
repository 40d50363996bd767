"""Words that others wrote in, Markdown that shows exactly those words out: no markup of theirs survives."""

import re

from workbench.tables import plain

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&^=\"'/])")
# Renderers link bare addresses after unescaping; an invisible joiner prevents it.
_ADDRESS = re.compile(r"(https?(?=://)|www(?=\.)|@(?=[-\w]+\.))", re.IGNORECASE)
_JOINER = "\u2060"


def escape(text: str) -> str:
    """One line of plain words for any Markdown place: labels, cells, headings."""
    one_line = plain(" ".join(str(text).split()))
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", one_line))
