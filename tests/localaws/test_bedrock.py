"""Converse and ConverseStream through boto3, with an injected planner."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import Response

from localaws.bedrock import MODEL_ID, Bedrock
from localaws.home import aws_environment
from localaws.server import Server
from localaws.wire import create_app

PLAN = {"dataset": "cier", "note": "drei Wörter und mehr, damit es Stücke gibt"}
CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "I look at it.", "signature": "s"}}},
    {"text": "I will plan  this\nfor you."},
    {"toolUse": {"toolUseId": "t1", "name": "plan_training", "input": PLAN}},
    {"toolUse": {"toolUseId": "t2", "name": "get_costs", "input": {}}},
]
TOOLS = {
    "tools": [{"toolSpec": {"name": "plan_training", "inputSchema": {"json": {"type": "object"}}}}]
}


def plan(body: dict[str, Any]) -> dict[str, Any]:
    asked = body["messages"][-1]["content"][0].get("text", "")
    content = [{"text": asked}] if asked.startswith("echo") else CONTENT
    usage = {"inputTokens": 12, "outputTokens": 3}
    return {"content": content, "stopReason": "tool_use", "usage": usage}


async def _no_s3(_: Request) -> Response:
    return Response(status_code=501)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    server = Server(create_app([Bedrock(plan)], _no_s3))
    server.start()
    environ = aws_environment(server.endpoint)
    yield boto3.Session().client(
        "bedrock-runtime",
        endpoint_url=server.endpoint,
        region_name=environ["AWS_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    server.stop()


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


def test_converse_answers_with_the_plan(client: Any):
    answer = client.converse(
        modelId=MODEL_ID, messages=said("Train"), toolConfig=TOOLS, system=[{"text": "You plan."}]
    )
    assert answer["output"]["message"] == {"role": "assistant", "content": CONTENT}
    assert answer["stopReason"] == "tool_use"
    assert answer["usage"] == {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15}


def test_stream_puts_together_to_the_same_message(client: Any):
    answer = client.converse_stream(modelId=MODEL_ID, messages=said("Train"))
    events = list(answer["stream"])
    assert [next(iter(event)) for event in events][0] == "messageStart"
    assert [next(iter(event)) for event in events][-2:] == ["messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 15
    assert _joined(events) == CONTENT


def test_text_with_any_white_space_survives_the_stream(client: Any):
    text = "echo  a\n\n  b\tc   \n"
    answer = client.converse_stream(modelId=MODEL_ID, messages=said(text))
    assert _joined(list(answer["stream"])) == [{"text": text}]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"modelId": "anthropic.claude-3-7-sonnet"}, "model identifier is invalid"),
        ({"inferenceConfig": {"temperature": 0.1}}, "temperature"),
        ({"inferenceConfig": {"topP": 0.1}}, "topP"),
        ({"toolConfig": TOOLS | {"toolChoice": {"any": {}}}}, "forced tool use"),
        ({"messages": [{"role": "assistant", "content": [{"text": "a"}]}]}, "start with a user"),
        (
            {"messages": [*said("a"), {"role": "assistant", "content": [{"text": "b"}]}]},
            "prefill",
        ),
        (
            {
                "messages": [
                    *said("a"),
                    {"role": "assistant", "content": [CONTENT[2]]},
                    *said("b"),
                ]
            },
            "without `tool_result`",
        ),
    ],
)
def test_refuses_what_current_models_refuse(client: Any, request_: dict[str, Any], message: str):
    request = {"modelId": MODEL_ID, "messages": said("Train")} | request_
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        client.converse(**request)
    with pytest.raises(ClientError, match="ValidationException"):
        client.converse_stream(**request)


def test_tool_result_and_token_limit_are_accepted(client: Any):
    result = {"toolUseId": "t1", "content": [{"json": {"a": 1}}], "status": "success"}
    answer = client.converse(
        modelId=MODEL_ID,
        inferenceConfig={"maxTokens": 100},
        toolConfig=TOOLS | {"toolChoice": {"auto": {}}},
        messages=[
            *said("a"),
            {"role": "assistant", "content": [CONTENT[2]]},
            {"role": "user", "content": [{"toolResult": result}]},
        ],
    )
    assert answer["stopReason"] == "tool_use"


def _joined(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        kind, body = next(iter(event.items()))
        if kind == "contentBlockStart":
            use = body["start"]["toolUse"]
            blocks[body["contentBlockIndex"]] = {"toolUse": {**use, "input": ""}}
        elif kind == "contentBlockDelta":
            _add(blocks, body["contentBlockIndex"], body["delta"])
    content = [blocks[index] for index in sorted(blocks)]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    return content


def _add(blocks: dict[int, dict[str, Any]], index: int, delta: dict[str, Any]) -> None:
    if "text" in delta:
        blocks.setdefault(index, {"text": ""})["text"] += delta["text"]
    elif "toolUse" in delta:
        blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
    else:
        empty = {"reasoningContent": {"reasoningText": {"text": ""}}}
        text = blocks.setdefault(index, empty)["reasoningContent"]["reasoningText"]
        part = delta["reasoningContent"]
        text["text"] += part.get("text", "")
        if "signature" in part:
            text["signature"] = part["signature"]
