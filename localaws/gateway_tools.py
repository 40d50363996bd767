"""The tools of a gateway: how MCP lists them, which fit a query, what of their arguments does not fit."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from mlops.errors import explain_validation
from mlops.tool_spec import arguments_model

DELIMITER = "___"
SEARCH_TOOL = "x_amz_bedrock_agentcore_search"
SEARCH_LISTED = {
    "name": SEARCH_TOOL,
    "description": "Finds the tools that fit a query. In the embedded AWS the search is lexical "
    "(tf-idf over names and descriptions), not semantic.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "what you want to do"}},
        "required": ["query"],
    },
}
_MOST_FOUND = 10
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Tool:
    """One tool of one Lambda target; `function` is its ARN."""

    target_id: str
    target: str
    function: str
    definition: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.target}{DELIMITER}{self.definition['name']}"

    def listed(self) -> dict[str, Any]:
        return {**self.definition, "name": self.name}


def misfit(schema: Mapping[str, Any], arguments: Any) -> str | None:
    """What of the arguments does not fit, in one line."""
    try:
        _model(json.dumps(schema, sort_keys=True)).model_validate(arguments)
    except ValidationError as error:
        return explain_validation(error)
    return None


def search(tools: Sequence[Tool], query: str) -> list[Tool]:
    """Best first, by tf-idf; only those that share a word with the query."""
    counts = [Counter(_words(" ".join(_texts(tool.listed())))) for tool in tools]
    holders = Counter(word for count in counts for word in count)
    wanted = set(_words(query))
    scored = [
        (_score(count, wanted, holders, len(tools)), tool)
        for count, tool in zip(counts, tools, strict=True)
    ]
    found = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
    return [tool for _, tool in found[:_MOST_FOUND]]


@lru_cache(maxsize=512)
def _model(schema: str) -> type[BaseModel]:
    return arguments_model(json.loads(schema))


def _score(count: Counter[str], wanted: set[str], holders: Counter[str], documents: int) -> float:
    shared = wanted & count.keys()
    weights = (math.log(1 + documents / holders[w]) * (1 + math.log(count[w])) for w in shared)
    return sum(weights) / math.sqrt(count.total() or 1)


def _texts(value: Any) -> Iterator[str]:
    """Every key and string, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from (str(key), *_texts(member))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)


def _words(text: str) -> list[str]:
    """Crude stems: "instances" finds "instance"."""
    return [w.removesuffix("s") for w in _WORD.findall(text.lower().replace("_", " "))]
