"""An attempt that fails says whether another may do better, and whether it is billed."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from tests.agent.attempts import delta, failure, refused, stop, throttled


@pytest.mark.parametrize(
    ("broken", "ended"),
    [(throttled(), True), (ConnectionError("reset"), False), (TimeoutError(), False)],
)
def test_a_stream_that_breaks_may_pass_and_is_billed(broken: Exception, ended: bool):
    failed = failure([delta(0, text="half"), broken])
    assert (failed.may_pass, failed.reached, failed.ended) == (True, True, ended)
    assert (failed.usage, failed.answered_chars) == (None, 4)


def test_a_stream_without_end_is_broken():
    assert failure([delta(0, text="half")]).error.code == "model_interrupted"


@pytest.mark.parametrize(
    "event",
    [
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}}},
        {"contentBlockDelta": {"delta": {"text": "no index"}}},
        {"contentBlockStart": {}},
        {"messageStop": {}},
    ],
    ids=["no start", "no index", "empty start", "no reason"],
)
def test_events_that_make_no_sense_end_the_attempt(event: dict[str, Any]):
    failed = failure([event, stop()])
    assert (failed.error.code, failed.may_pass) == ("model_interrupted", False)


def test_a_wrong_request_in_the_stream_stays_wrong():
    assert not failure([throttled("validationException")]).may_pass


@pytest.mark.parametrize(
    ("error", "code", "may_pass", "reached"),
    [
        (refused("ThrottlingException", 429), "throttled", True, False),
        (refused("ServiceUnavailableException", 503), "unavailable", True, False),
        (refused("ModelTimeoutException", 408), "model_timeout", True, True),
        (refused("ModelErrorException", 424), "model_failed", True, True),
        (refused("InternalServerException", 500), "unavailable", True, True),
        (refused("AccessDeniedException", 403), "access_denied", False, False),
        (refused("ValidationException", 400), "invalid_request", False, False),
        (EndpointConnectionError(endpoint_url="x"), "aws_unreachable", True, False),
        (ReadTimeoutError(endpoint_url="x"), "aws_unreachable", True, True),
        (NoCredentialsError(), "no_credentials", False, False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_fails_before_the_stream(error: Any, code: str, may_pass: bool, reached: bool):
    failed = failure(error)
    assert (failed.error.code, failed.may_pass, failed.reached) == (code, may_pass, reached)


def test_how_long_to_wait_is_heard():
    assert failure(refused("ThrottlingException", 429, **{"retry-after": "7"})).wait_seconds == 7
