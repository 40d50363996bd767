"""Which tools fit a query, by shared words: for where no Gateway searches for us."""

import re
from collections.abc import Sequence

from mlops.tool_spec import ToolSpec

_WORDS = re.compile(r"[a-z0-9]+")


def lexical(specs: Sequence[ToolSpec], query: str, top_k: int) -> list[ToolSpec]:
    """Those that share most words with the query first; none that shares no word."""
    wanted = _words(query)
    scores = {spec.name: len(wanted & _described(spec)) for spec in specs}
    ranked = sorted(specs, key=lambda spec: (-scores[spec.name], spec.name))
    return [spec for spec in ranked if scores[spec.name]][:top_k]


def _described(spec: ToolSpec) -> set[str]:
    arguments = " ".join(spec.model_schema().get("properties", {}))
    return _words(f"{spec.name} {spec.description} {arguments}")


def _words(text: str) -> set[str]:
    """Word stems, crudely: "instances" finds "instance"."""
    return {word.removesuffix("s") for word in _WORDS.findall(text.lower().replace("_", " "))}
