"""Words that others wrote (datasets, models, people) in; Markdown that shows exactly those words out.

No markup, link, image or formula of theirs survives: what they wrote is data.
"""

import re
from decimal import ROUND_FLOOR, Decimal

from mlops.money import parse_usd
from workbench.tables import plain, usd
from workbench.transcripts import escape

__all__ = ["at_least", "escape", "prose", "seconds", "usd"]

_ITEM = re.compile(r"(\s*)(?:[-*•]|(\d{1,3})[.)])\s+(.*)")
_BOLD_OR_CODE = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*|`([^`\n]+)`")


def prose(text: str) -> str:
    """Paragraphs of an answer: lists, bold and code stay, everything else is plain words."""
    lines: list[str] = []
    in_list = False
    for line in text.splitlines():
        is_item = _ITEM.fullmatch(line) is not None
        if in_list and not is_item:
            lines.append("")  # else the line would go on with the item before it
        lines.append(_line(line))
        in_list = is_item
    return "\n".join(lines)


def at_least(left_usd: str) -> str:
    """What is left, for people: whole cents, never shown larger than it is."""
    amount = Decimal(parse_usd(left_usd)).scaleb(-6).quantize(Decimal("0.01"), ROUND_FLOOR)
    return f"${amount:,f}" if amount >= 0 else f"-${-amount:,f}"


def seconds(count: float) -> str:
    """ "42 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(count))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _line(line: str) -> str:
    item = _ITEM.fullmatch(line)
    if item is None:
        return f"{_inline(line.strip())}  "
    indent = " " * (len(item[1]) // 2 * 4)
    marker = f"{item[2]}." if item[2] else "-"
    return f"{indent}{marker} {_inline(item[3])}"


def _inline(text: str) -> str:
    """Escaped, but for **bold** and `code` whose inside is escaped too."""
    parts: list[str] = []
    end = 0
    for match in _BOLD_OR_CODE.finditer(text):
        parts.append(_escape_keeping_ends(text[end : match.start()]))
        parts.append(f"**{escape(match[1])}**" if match[1] else f"`{plain(match[2])}`")
        end = match.end()
    return "".join([*parts, _escape_keeping_ends(text[end:])])


def _escape_keeping_ends(text: str) -> str:
    """`escape`, with one space kept where the words began or ended with some."""
    inner = escape(text)
    before = " " if text[:1].isspace() else ""
    after = " " if inner and text[-1:].isspace() else ""
    return f"{before}{inner}{after}"
