"""The frame of every tool Lambda: checked input, JSON out, refusals as data."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from pydantic import BaseModel

from mlops.aws import serve
from mlops.errors import RefusedError, from_wire
from mlops.tools import CostsInput, CostsOutput
from tests.mlops.aws.embedded import client_error

OUTPUT = CostsOutput(
    month="2026-11",
    limit_usd="50.00",
    spent_usd="0.00",
    reserved_usd="0.00",
    left_usd="50.00",
    sandbox=True,
)


def answer(event: Any, error: Exception | None = None) -> dict[str, Any]:
    def act(_: Any, wanted: CostsInput) -> BaseModel:
        assert isinstance(wanted, CostsInput)
        if error:
            raise error
        return OUTPUT

    return serve.tool("get_costs", act)(event, None)


def test_the_output_is_plain_json():
    assert answer({"person": "ada"}) == OUTPUT.model_dump(mode="json")


@pytest.mark.parametrize("event", [{"who": "ada"}, {"person": 7}, [], "text", None])
def test_bad_input_is_a_request_error(event: Any):
    error = answer(event)["error"]
    assert (error["class"], error["code"], error["exit_code"]) == (
        "RequestError",
        "bad_arguments",
        2,
    )


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RefusedError("over_budget", "No."), "over_budget"),
        (client_error("ResourceLimitExceeded"), "quota"),
        (EndpointConnectionError(endpoint_url="x"), "aws_unreachable"),
    ],
)
def test_known_failures_are_data(raised: Exception, code: str):
    assert from_wire(answer({}, raised)).code == code


def test_what_nobody_foresaw_fails_the_invocation():
    with pytest.raises(ZeroDivisionError):
        answer({}, ZeroDivisionError())


def test_settings_are_read_once_per_process(monkeypatch: pytest.MonkeyPatch):
    serve.aws.cache_clear()
    monkeypatch.setenv("LLMOPS_PERSON", "grace")
    assert serve.aws() is serve.aws()
    assert serve.aws().settings.person == "grace"
    serve.aws.cache_clear()


def test_now_is_aware():
    assert serve.now().utcoffset() is not None
