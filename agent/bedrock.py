"""Calls a Bedrock model through boto3's ConverseStream and passes its text on as it comes."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    EventStreamError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from agent.model_check import refusal_of
from agent.replies import Assembly, MalformedError, OnText, Reply, Usage
from mlops.aws.clients import Aws, translate
from mlops.aws.tokens import ALLOWANCE_OUTPUT_TOKENS
from mlops.errors import Alternative, FaultError, OpsError
from mlops.tool_spec import ToolSpec

MAX_OUTPUT_TOKENS = ALLOWANCE_OUTPUT_TOKENS
ASK_AGAIN = Alternative(kind="retry", message="Ask again")

_CACHE_POINT = {"cachePoint": {"type": "default"}}
# What can break while a stream is read; botocore retries none of it.
_BROKEN = (EventStreamError, BotoCoreError, HTTPError, ParserError, OSError, ValueError)
# Turned away before a model read anything: nothing is billed.
_TURNED_AWAY = (400, 401, 403, 404, 413, 429, 503)
# Perhaps the model itself is the trouble: gone, or not open to this account.
_REFUSED = (400, 403, 404)
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError)
_HOPELESS = (NoCredentialsError, PartialCredentialsError, ParamValidationError)
# A model that failed, took too long or is overloaded may do better when asked again.
_PASSING = (408, 424, 429, 500, 502, 503, 504)


class Model(Protocol):
    """Whatever answers a conversation; a failed attempt is an AttemptError."""

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str,
        tools: Sequence[ToolSpec],
        on_text: OnText,
    ) -> Reply: ...


@dataclass(eq=False)
class AttemptError(Exception):
    """One attempt came to nothing. `error` is for the person; `may_pass`: worth another attempt;
    `reached`: the model was at work, so it is billed; `usage` is None when nobody knows how much;
    `answered_chars` came before it broke, `ended` says that no more was made after them."""

    error: OpsError
    may_pass: bool
    reached: bool
    usage: Usage | None = None
    answered_chars: int = 0
    ended: bool = False
    wait_seconds: float = 0.0


class BedrockModel:
    """The model named by the settings. No sampling parameters, no forced tools: current models
    refuse them."""

    def __init__(self, aws: Aws):
        self._aws = aws
        self._client = aws.client("bedrock-runtime")
        self._settings = aws.settings
        self._known_tools: list[str] = []
        self._lock = threading.Lock()

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str,
        tools: Sequence[ToolSpec],
        on_text: OnText,
    ) -> Reply:
        """One attempt; AttemptError when it fails."""
        request = self._request(messages, system, tools)
        try:
            stream = self._client.converse_stream(**request)["stream"]
        except (ClientError, BotoCoreError) as error:
            raise self._before_the_stream(error) from error
        assembly = Assembly(on_text, _ids(messages))
        try:
            for event in stream:
                assembly.add(event)
        except _BROKEN as error:
            raise _in_the_stream(error, assembly) from error
        finally:
            stream.close()
        if not assembly.stop_reason:
            cut = ConnectionError("the stream ended before the message did")
            raise _in_the_stream(cut, assembly) from cut
        return assembly.reply()

    def _before_the_stream(self, error: ClientError | BotoCoreError) -> AttemptError:
        """Without an answer nobody knows whether the model was reached."""
        if not isinstance(error, ClientError):
            reached = not isinstance(error, _NEVER_SENT + _HOPELESS)
            may_pass = not isinstance(error, _HOPELESS)
            return AttemptError(translate(error), may_pass=may_pass, reached=reached)
        about = error.response.get("ResponseMetadata", {})
        status = int(about.get("HTTPStatusCode", 0))
        why = refusal_of(self._aws) if status in _REFUSED else None
        return AttemptError(
            why or translate(error),
            may_pass=status in _PASSING,
            reached=status not in _TURNED_AWAY,
            ended=True,
            wait_seconds=_seconds(about.get("HTTPHeaders", {}).get("retry-after", "")),
        )

    def _request(
        self, messages: Sequence[Mapping[str, Any]], system: str, tools: Sequence[ToolSpec]
    ) -> dict[str, Any]:
        """What the provider caches is a prefix: tools, system and the conversation so far."""
        model_id = self._settings.bedrock_model_id
        # Others turn a request with cache points away. What an ARN stands for is not seen in it.
        may_cache = "anthropic." in model_id or model_id.startswith("arn:")
        cache = [_CACHE_POINT] if may_cache else []
        request = {
            "modelId": model_id,
            "messages": _with_cache_point(messages, cache),
            "system": [{"text": system}, *cache],
            "inferenceConfig": {"maxTokens": MAX_OUTPUT_TOKENS},
            **self._guardrail(),
        }
        if tools:
            specs = [_tool(spec) for spec in self._in_order(tools)]
            request["toolConfig"] = {"tools": [*specs, *cache]}
        return request

    def _guardrail(self) -> dict[str, Any]:
        if self._settings.guardrail_id is None:
            return {}
        config = {
            "guardrailIdentifier": self._settings.guardrail_id,
            "guardrailVersion": self._settings.guardrail_version,
            "trace": "enabled",
        }
        return {"guardrailConfig": config}

    def _in_order(self, tools: Sequence[ToolSpec]) -> list[ToolSpec]:
        """By name; one that is found later comes last, so that what was cached stays a prefix."""
        by_name = {spec.name: spec for spec in tools}
        with self._lock:
            self._known_tools += sorted(by_name.keys() - set(self._known_tools))
            return [by_name[name] for name in self._known_tools if name in by_name]


def _ids(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    blocks = (block for message in messages for block in message["content"])
    return {block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block}


def _with_cache_point(
    messages: Sequence[Mapping[str, Any]], cache: list[dict[str, Any]]
) -> list[Mapping[str, Any]]:
    """The next call of a turn repeats all of this."""
    last = messages[-1]
    return [*messages[:-1], {**last, "content": [*last["content"], *cache]}]


def _tool(spec: ToolSpec) -> dict[str, Any]:
    schema = {"json": spec.model_schema()}
    return {
        "toolSpec": {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": schema,
        }
    }


def _in_the_stream(error: Exception, assembly: Assembly) -> AttemptError:
    """An exception that the service sent ends the answer; a broken connection may not."""
    sent = isinstance(error, EventStreamError)
    wrong = sent and error.response.get("Error", {}).get("Code") == "validationException"
    wrong = wrong or isinstance(error, MalformedError)
    return AttemptError(
        _explain(error),
        may_pass=not wrong,
        reached=True,
        usage=assembly.usage(),
        answered_chars=assembly.chars,
        ended=sent,
    )


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def _explain(error: Exception) -> OpsError:
    if isinstance(error, EventStreamError | BotoCoreError):
        return translate(error)
    what = "made no sense" if isinstance(error, MalformedError) else "broke off"
    return FaultError(
        "model_interrupted",
        f"The model's answer {what}; nothing of it was done.",
        (ASK_AGAIN,),
    )
