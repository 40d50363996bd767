"""The model client: what is sent, how a stream becomes a message, what is asked for again."""

from typing import Any

import pytest

from agent.bedrock import BedrockModel
from agent.replies import MAX_ANSWER_CHARS, MAX_ARGUMENT_CHARS, UNREADABLE, Usage
from mlops.tools import TOOLS
from tests.agent.attempts import QUESTION, FakeAws, ask, delta, start, stop


def test_sends_nothing_that_current_models_refuse():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    request = aws.requests[0]
    assert request["inferenceConfig"].keys() == {"maxTokens"}
    assert request["toolConfig"].keys() == {"tools"}
    assert "additionalModelRequestFields" not in request


def test_tools_are_sorted_and_end_in_a_cache_point():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    *tools, cache = aws.requests[0]["toolConfig"]["tools"]
    names = [tool["toolSpec"]["name"] for tool in tools]
    assert names == sorted(TOOLS)
    assert cache == aws.requests[0]["system"][-1] == {"cachePoint": {"type": "default"}}


@pytest.mark.parametrize("model_id", ["local.planner-v1", "us.meta.llama4-scout-17b-v1:0"])
def test_who_cannot_cache_gets_no_cache_point(model_id: str):
    aws = FakeAws([delta(0, text="ok"), stop()], model_id=model_id)
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
    assert (reply.stop_reason, reply.usage) == (
        "tool_use",
        Usage(input_tokens=7, output_tokens=3),
    )


def test_cached_tokens_are_told_apart():
    usage = {"inputTokens": 1, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 5}
    aws = FakeAws([delta(0, text="ok"), stop(), {"metadata": {"usage": usage}}])
    assert ask(aws).usage == Usage(input_tokens=1, cache_read_tokens=10, cache_write_tokens=5)


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


def test_a_tool_found_later_comes_last():
    first, *rest = sorted(TOOLS.values(), key=lambda spec: spec.name)
    aws: Any = FakeAws(*[[delta(0, text="ok"), stop()]] * 3)
    model = BedrockModel(aws)
    for tools in (rest, [first, *reversed(rest)], rest):
        model.reply(QUESTION, "s", tools, lambda text: None)
    offered = [
        [t["toolSpec"]["name"] for t in request["toolConfig"]["tools"] if "toolSpec" in t]
        for request in aws.requests
    ]
    names = [spec.name for spec in rest]
    assert offered == [names, [*names, first.name], names]


def test_the_conversation_ends_in_a_cache_point_that_is_not_kept():
    aws = FakeAws([delta(0, text="ok"), stop()])
    ask(aws)
    assert aws.requests[0]["messages"][-1]["content"][-1] == {"cachePoint": {"type": "default"}}
    assert QUESTION == [{"role": "user", "content": [{"text": "hi"}]}]


def test_a_guardrail_goes_along_when_one_is_set():
    aws = FakeAws([delta(0, text="ok"), stop()], guardrail_id="g1", guardrail_version="7")
    ask(aws)
    assert aws.requests[0]["guardrailConfig"] == {
        "guardrailIdentifier": "g1",
        "guardrailVersion": "7",
        "trace": "enabled",
    }
    plain = FakeAws([delta(0, text="ok"), stop()])
    ask(plain)
    assert "guardrailConfig" not in plain.requests[0]


def test_a_call_that_the_limit_cut_off_is_left_out():
    half = [start(0, "get_costs"), start(1, "describe_training_job"), stop("max_tokens")]
    uses = [block["toolUse"]["name"] for block in ask(FakeAws(half)).message["content"]]
    assert uses == ["get_costs"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": 1e999}',
        f'{{"a": {2**64}}}',
        "[" * 100_000,
        '{"a": ' + "[" * 30 + "]" * 30 + "}",
    ],
    ids=["nan", "infinite", "long", "unclosed", "deep"],
)
def test_input_that_no_store_takes_is_marked(text: str):
    aws = FakeAws([start(0, "get_costs"), delta(0, toolUse={"input": text}), stop("tool_use")])
    assert ask(aws).message["content"][0]["toolUse"]["input"].keys() == {UNREADABLE}


def test_an_id_that_not_every_vendor_takes_is_replaced():
    """The conversation may go on with another model, which would refuse it ever after."""
    call = start(0, "get_costs")
    call["contentBlockStart"]["start"]["toolUse"]["toolUseId"] = "functions.get_costs:0"
    use = ask(FakeAws([call, stop("tool_use")])).message["content"][0]["toolUse"]
    assert use["toolUseId"].replace("-", "").isalnum()


def test_ids_and_names_are_made_fit_to_be_sent_back():
    twice = start(1, "get costs!")
    twice["contentBlockStart"]["contentBlockIndex"] = 2
    empty = start(3, "x" * 99)
    empty["contentBlockStart"]["start"]["toolUse"]["toolUseId"] = ""
    aws = FakeAws([start(1, ""), twice, empty, stop("tool_use")])
    uses = [block["toolUse"] for block in ask(aws).message["content"]]
    assert [use["name"] for use in uses] == ["unnamed", "get_costs_", "x" * 64]
    ids = [use["toolUseId"] for use in uses]
    assert ids[0] == "t1" and len(set(ids)) == 3 and all(ids)


def test_text_is_fit_to_be_stored_and_bounded():
    said: list[str] = []
    text = "a\x00b\x1b[31m\ud800\u202ec\n" + "x" * (2 * MAX_ANSWER_CHARS)
    aws = FakeAws([delta(0, text=text), delta(0, text="more"), stop()])
    answer = ask(aws, said).message["content"][0]["text"]
    assert answer.startswith("ab[31m?c\nxxx")
    assert len(answer) < MAX_ANSWER_CHARS + 50
    assert "".join(said) == answer
