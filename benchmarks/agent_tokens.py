"""Tokens and cost of one conversation, with and without prompt caching, from the requests that the agent sent.

No language model ran: the offline planner answered. So the words are its words, and tokens are
counted by length.
"""

import json
from collections.abc import Iterator
from typing import Any

from agent.turns import Turns
from benchmarks.back_end import SENTENCE, BackEnd, finish
from benchmarks.tables import Table
from benchmarks.workload import utc_now
from mlops.aws.clients import Aws
from mlops.events import EventKind
from mlops.money import parse_usd, show_usd
from mlops.token_rates import TokenRate, token_rates

CHARS_PER_TOKEN = 4
MODELS = (
    "global.anthropic.claude-sonnet-5-5",
    "global.anthropic.claude-haiku-5-5",
    "global.anthropic.claude-opus-5-5",
)
# Below it a provider keeps nothing: the published minimum of the larger models, and of Haiku 4.5.
_LEAST_CACHED_TOKENS, _LEAST_OF_HAIKU = 1_024, 4_096
QUESTIONS = ("What did we spend?", "What's the cheapest GPU option?", "Und wie läuft mein Job?")
_PLANNER = "local.planner-v1"
_COLUMNS = (
    "model",
    "calls",
    "prompt tokens",
    "answer",
    "uncached",
    "cached, as booked",
    "cached, by list",
    "saved",
)
# Per million tokens; the maker's list of October 2026, not confirmed by an AWS page. Money is booked
# without them: at the input price, which is more.
LISTED_CACHE_READ_USD = {
    "global.anthropic.claude-sonnet-5-5": "0.10",
    "global.anthropic.claude-opus-5-5": "0.20",
}

Exchange = tuple[dict[str, Any], int]
"""A request as it was sent, and the characters of its answer."""


def measure(back: BackEnd) -> Table:
    rows = [_row(model_id, _converse(back, model_id)) for model_id in MODELS]
    return Table(
        title="Tokens and cost of one conversation (plan, approval, three questions)",
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=(
            "No language model ran: these are the agent's own requests for that model, answered by",
            f"the offline planner. Tokens: characters / {CHARS_PER_TOKEN}, an approximation; a real model thinks",
            "and says more. Cached: what the cache points in the requests allow, when less than five",
            "minutes lie between calls and the provider finds the longest prefix that it has kept;",
            f"prefixes below {_LEAST_CACHED_TOKENS:,} tokens (Haiku: {_LEAST_OF_HAIKU:,}) are not cached.",
            "As booked: a cache rate that nobody dated counts as the input price. By list: the maker's",
            "list price of reading, not confirmed by AWS (Haiku: none is known).",
            *(f"{rate.model_id}: {_priced(rate)}" for rate in map(_rate, MODELS)),
        ),
    )


def _converse(back: BackEnd, model_id: str) -> list[Exchange]:
    """The requests that a real agent sends for this model, in a conversation of five turns."""
    settings = back.services.settings.model_copy(update={"bedrock_model_id": model_id})
    aws = _Recorded(settings, back.services.aws.session)
    turns = Turns(aws, back.services.gateway, utc_now, f"bench-{model_id}")
    session = back.bench.new_session()
    finish(turns, turns.submit(session, SENTENCE))
    approval = [e for e in back.bench.events(session) if e.kind is EventKind.APPROVAL]
    if not approval:
        raise RuntimeError(f"no plan: {back.bench.events(session)[-2].data}")
    finish(turns, turns.approve(str(approval[-1].data["plan_id"]), settings.person))
    for question in QUESTIONS:
        finish(turns, turns.submit(session, question))
    turns.close()
    return aws.exchanges


class _Recorded(Aws):
    """The same back end; requests for a model are noted, and answered by the offline planner."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.exchanges: list[Exchange] = []

    def client(self, service: str) -> Any:
        return self if service == "bedrock-runtime" else super().client(service)

    def converse_stream(self, **request: Any) -> dict[str, Any]:
        real = super().client("bedrock-runtime")
        answer = real.converse_stream(**_without_cache_points(request) | {"modelId": _PLANNER})
        number = len(self.exchanges)
        self.exchanges.append((request, 0))
        return {**answer, "stream": _Counted(answer["stream"], self.exchanges, number)}


class _Counted:
    """A stream whose text and tool inputs are counted as they pass."""

    def __init__(self, stream: Any, exchanges: list[Exchange], number: int):
        self._stream, self._exchanges, self._number = stream, exchanges, number

    def __iter__(self) -> Iterator[Any]:
        for event in self._stream:
            delta = event.get("contentBlockDelta", {}).get("delta", {})
            request, chars = self._exchanges[self._number]
            chars += len(delta.get("text", "")) + len(delta.get("toolUse", {}).get("input", ""))
            self._exchanges[self._number] = (request, chars)
            yield event

    def close(self) -> None:
        self._stream.close()


def _without_cache_points(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_cache_points(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_cache_points(v) for v in value if v is None or not _is_point(v)]
    return value


def _row(model_id: str, exchanges: list[Exchange]) -> tuple[str, ...]:
    rate, seen = _rate(model_id), set[str]()
    listed = _with_listed_cache(rate)
    least = _LEAST_OF_HAIKU if "haiku" in model_id else _LEAST_CACHED_TOKENS
    prompts = answers = plain = booked = cached = 0
    for request, chars in exchanges:
        whole, read, written = _split(request, seen, least)
        answer = _tokens(chars)
        prompts, answers = prompts + whole, answers + answer
        plain += rate.cost(whole, answer)
        booked += rate.cost(whole - read - written, answer, read, written)
        if listed is not None:
            cached += listed.cost(whole - read - written, answer, read, written)
    by_list = (show_usd(cached), f"{(plain - cached) / plain:.0%}") if listed else ("–", "–")
    figures = (f"{prompts:,}", f"{answers:,}", show_usd(plain), show_usd(booked), *by_list)
    return (model_id.removeprefix("global.anthropic."), str(len(exchanges)), *figures)


def _with_listed_cache(rate: TokenRate) -> TokenRate | None:
    """None where nobody lists what reading from the cache costs."""
    if rate.cache_read_micro is not None:
        return rate
    read = LISTED_CACHE_READ_USD.get(rate.model_id)
    return rate.model_copy(update={"cache_read_micro": parse_usd(read)}) if read else None


def _split(request: dict[str, Any], seen: set[str], least: int) -> tuple[int, int, int]:
    """Tokens of the prompt: all, read from the cache, newly written to it."""
    text, prefixes = "", []
    for part in _parts(request):
        if _is_point(part):
            prefixes.append(text)
        else:
            text += json.dumps(part, ensure_ascii=False)
    known = (_tokens(len(prefix)) for prefix in seen if text.startswith(prefix))
    read = max((tokens for tokens in known if tokens >= least), default=0)
    longest = max((_tokens(len(p)) for p in prefixes), default=0)
    seen.update(prefixes)
    return _tokens(len(text)), read, max(0, longest - read) if longest >= least else 0


def _parts(request: dict[str, Any]) -> Iterator[Any]:
    """In the order in which a provider reads them: tools, system, messages."""
    yield from request.get("toolConfig", {}).get("tools", ())
    yield from request["system"]
    for message in request["messages"]:
        yield {"role": message["role"]}
        yield from message["content"]


def _is_point(part: Any) -> bool:
    return isinstance(part, dict) and "cachePoint" in part


def _tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)


def _rate(model_id: str) -> TokenRate:
    return token_rates()[model_id]


def _priced(rate: TokenRate) -> str:
    read, write = rate.cache_read_micro, rate.cache_write_micro
    cache = "no dated cache rate: read as input, written at 1.25×"
    if read is not None and write is not None:
        cache = f"cache {show_usd(read)} read, {show_usd(write)} written"
    about = f"{show_usd(rate.input_micro)} in, {show_usd(rate.output_micro)} out, {cache}"
    return f"{about}, per million, list price of {rate.as_of}"
