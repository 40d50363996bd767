"""The model client: what is sent, how a stream becomes a message, what is asked for again."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from agent.bedrock import MAX_ARGUMENT_CHARS, UNREADABLE, BedrockModel, Reply
from mlops.errors import FaultError, OpsError
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

    def __init__(self, *streams: Any, model_id: str = CLAUDE):
        self.settings = Settings.from_env({}, bedrock_model_id=model_id)
        self.streams = list(streams)
        self.requests: list[dict[str, Any]] = []

    def client(self, service: str) -> "FakeAws":
        assert service == "bedrock-runtime"
        return self

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
    model = BedrockModel(aws, pause=lambda seconds: None)
    heard = said if said is not None else []
    return model.reply(QUESTION, "Be brief.", list(TOOLS.values()), heard.append)


def test_sends_nothing_that_current_models_refuse():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    request = aws.requests[0]
    assert request["inferenceConfig"].keys() == {"maxTokens"}
    assert request["toolConfig"]["toolChoice"] == {"auto": {}}
    assert "additionalModelRequestFields" not in request


def test_tools_are_sorted_and_end_in_a_cache_point():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    *tools, cache = aws.requests[0]["toolConfig"]["tools"]
    names = [tool["toolSpec"]["name"] for tool in tools]
    assert names == sorted(TOOLS)
    assert cache == aws.requests[0]["system"][-1] == {"cachePoint": {"type": "default"}}


def test_the_local_planner_gets_no_cache_point():
    aws = FakeAws([delta(0, text="ok"), stop()], model_id="local.planner-v1")
    ask(aws)
    assert "cachePoint" not in str(aws.requests[0])


def test_injected_fields_are_not_offered_to_the_model():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    by_name = {
        t["toolSpec"]["name"]: t["toolSpec"]["inputSchema"]["json"]["properties"]
        for t in aws.requests[0]["toolConfig"]["tools"][:-1]
    }
    assert by_name["plan_training"].keys() == {"dataset", "instance_type"}
    assert by_name["launch_sagemaker_training"].keys() == {"plan_id"}


def test_a_stream_becomes_one_message_with_reasoning_verbatim():
    said: list[str] = []
    aws = FakeAws(
        [
            {"messageStart": {"role": "assistant"}},
            delta(0, reasoningContent={"text": "let me "}),
            delta(0, reasoningContent={"text": "see"}),
            delta(0, reasoningContent={"signature": "sig=="}),
            delta(1, reasoningContent={"redactedContent": b"\x00\x01"}),
            delta(2, text="I "),
            delta(2, text="look."),
            start(3, "get_costs"),
            start(4, "prepare_dataset"),
            delta(4, toolUse={"input": '{"data'}),
            delta(4, toolUse={"input": 'set": "cier"}'}),
            stop("tool_use"),
            {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3}}},
        ]
    )
    reply = ask(aws, said)
    reasoning = {"text": "let me see", "signature": "sig=="}
    assert reply.message["content"] == [
        {"reasoningContent": {"reasoningText": reasoning}},
        {"reasoningContent": {"redactedContent": b"\x00\x01"}},
        {"text": "I look."},
        {"toolUse": {"toolUseId": "t3", "name": "get_costs", "input": {}}},
        {"toolUse": {"toolUseId": "t4", "name": "prepare_dataset", "input": {"dataset": "cier"}}},
    ]
    assert said == ["I ", "look."]
    assert (reply.stop_reason, reply.input_tokens, reply.output_tokens) == ("tool_use", 7, 3)


def test_cached_tokens_count_as_what_they_cost_at_most():
    usage = {"inputTokens": 1, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 5}
    aws = FakeAws([delta(0, text="ok"), stop(), {"metadata": {"usage": usage}}])
    assert ask(aws).input_tokens == 1 + 10 + 7


@pytest.mark.parametrize(
    "text",
    ['{"a": ', "[1]", "7", '{"a": "' + "x" * MAX_ARGUMENT_CHARS + '"}'],
    ids=lambda t: t[:6],
)
def test_tool_input_that_is_no_small_object_is_marked(text: str):
    aws = FakeAws([start(0, "get_costs"), delta(0, toolUse={"input": text}), stop("tool_use")])
    use = ask(aws).message["content"][0]["toolUse"]
    assert use["input"].keys() == {UNREADABLE}
    assert len(str(use)) < 300


def test_blank_text_is_not_echoed():
    aws = FakeAws([delta(0, text=" \n"), start(1, "get_costs"), stop("tool_use")])
    assert [list(block) for block in ask(aws).message["content"]] == [["toolUse"]]


@pytest.mark.parametrize("broken", [throttled(), ConnectionError("reset"), TimeoutError()])
def test_a_broken_stream_is_asked_for_again_as_a_whole(broken: Exception):
    aws = FakeAws([delta(0, text="half"), broken], [delta(0, text="whole"), stop()])
    assert ask(aws).message["content"] == [{"text": "whole"}]
    assert aws.requests[0] == aws.requests[1]


def test_a_stream_without_end_is_broken():
    aws = FakeAws([delta(0, text="half")], [delta(0, text="whole"), stop()])
    assert ask(aws).message["content"] == [{"text": "whole"}]


@pytest.mark.parametrize("broken", [throttled(), ConnectionError("reset")])
def test_the_third_failure_is_a_fault(broken: Exception):
    aws = FakeAws(*[[broken]] * 3)
    with pytest.raises(FaultError):
        ask(aws)
    assert len(aws.requests) == 3


def test_a_wrong_request_is_not_repeated():
    aws = FakeAws([throttled("validationException")])
    with pytest.raises(OpsError):
        ask(aws)
    assert len(aws.requests) == 1


def test_a_refused_request_is_not_repeated_and_translated():
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "C")
    aws = FakeAws(denied)
    with pytest.raises(OpsError) as caught:
        ask(aws)
    assert caught.value.code == "access_denied"
    assert len(aws.requests) == 1
