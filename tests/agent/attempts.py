"""The model client over streams that a test writes down: one attempt, its reply or its failure."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, EventStreamError

from agent.bedrock import AttemptError, BedrockModel
from agent.replies import Reply
from mlops.settings import Settings
from mlops.tools import TOOLS

CLAUDE = "global.anthropic.claude-sonnet-5-5"
QUESTION = [{"role": "user", "content": [{"text": "hi"}]}]


class Stream(list[Any]):
    closed = False

    def __iter__(self) -> Any:
        for event in super().__iter__():
            if isinstance(event, Exception):
                raise event
            yield event

    def close(self) -> None:
        self.closed = True


class FakeAws:
    """`streams`: one list of events, or an exception, per attempt."""

    def __init__(self, *streams: Any, model_id: str = CLAUDE, **settings: Any):
        self.settings = Settings.from_env({}, bedrock_model_id=model_id, **settings)
        self.streams = list(streams)
        self.requests: list[dict[str, Any]] = []

    def client(self, service: str) -> "FakeAws":
        return self

    def get_inference_profile(self, **_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="none")

    def converse_stream(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        events = self.streams.pop(0)
        if isinstance(events, Exception):
            raise events
        return {"stream": Stream(events)}


def delta(index: int, **body: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": body}}


def start(index: int, name: str) -> dict[str, Any]:
    use = {"toolUse": {"toolUseId": f"t{index}", "name": name}}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": use}}


def stop(reason: str = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


def throttled(code: str = "throttlingException") -> EventStreamError:
    return EventStreamError({"Error": {"Code": code, "Message": "slow down"}}, "ConverseStream")


def ask(aws: Any, said: list[str] | None = None) -> Reply:
    heard = said if said is not None else []
    return BedrockModel(aws).reply(QUESTION, "Be brief.", list(TOOLS.values()), heard.append)


def failure(*events: Any) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        ask(FakeAws(*events))
    return caught.value


def refused(code: str, status: int, **headers: str) -> ClientError:
    body: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(body, "ConverseStream")
