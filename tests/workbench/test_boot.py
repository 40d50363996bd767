"""The composition root: where data lies, which back end is meant, and what of the environment counts."""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops.aws.limits import Limits
from mlops.errors import RequestError
from mlops.money import parse_usd
from tests.mlops.aws.embedded import Embedded
from workbench import boot

ENDPOINT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "LLMOPS_ENGINES": "crf",
    "LLMOPS_SANDBOX": "true",
    "BEDROCK_MODEL_ID": "local.planner-v1",
}


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directories for which an embedded AWS was asked; none is started."""
    asked: list[Path] = []

    def ensure(home: Path) -> Any:
        asked.append(home)
        return SimpleNamespace(environ=ENDPOINT)

    monkeypatch.setattr(boot, "local_stack", lambda: SimpleNamespace(ensure=ensure))
    return asked


def test_a_named_home_wins(tmp_path: Path):
    (tmp_path / ".llmops").mkdir()
    named = {"LLMOPS_HOME": str(tmp_path / "mine")}
    assert boot.data_home(named, tmp_path) == tmp_path / "mine"


def test_a_named_home_may_be_relative_to_the_person():
    assert boot.data_home({"LLMOPS_HOME": "~/x"}) == Path.home() / "x"


def test_the_nearest_directory_upwards_is_taken(tmp_path: Path):
    (tmp_path / ".llmops").mkdir()
    (tmp_path / "a" / ".llmops").mkdir(parents=True)
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert boot.data_home({}, deep) == tmp_path / "a" / ".llmops"
    assert boot.data_home({}, tmp_path) == tmp_path / ".llmops"


def test_a_file_of_that_name_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / ".llmops").touch()
    assert boot.data_home({}, tmp_path) == tmp_path / "person" / ".llmops"


def test_an_unknown_back_end_is_refused(homes: list[Path]):
    with pytest.raises(RequestError, match="LLMOPS_BACKEND"):
        boot.services(environ={"LLMOPS_BACKEND": "azure"})
    assert homes == []


def test_aws_is_only_meant_when_said(homes: list[Path]):
    with pytest.raises(RequestError, match="AGENTCORE_GATEWAY_ID"):
        boot.services(environ={"LLMOPS_BACKEND": "aws", "AGENTCORE_GATEWAY_ID": "Not an id!"})
    assert homes == []


def test_a_malformed_setting_is_named(homes: list[Path], tmp_path: Path):
    with pytest.raises(RequestError, match="price_max_age_days"):
        boot.services(tmp_path, {"LLMOPS_PRICE_MAX_AGE_DAYS": "soon"})


def test_local_services_reach_the_embedded_aws_alone(
    homes: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    theirs = {
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "https://example.com",
        "AWS_SESSION_TOKEN": "secret",
        "LLMOPS_PERSON": "ada",
    }
    for name, value in (theirs | {"HTTP_PROXY": "http://127.0.0.1:1"}).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    made = boot.services(tmp_path, os.environ)
    try:
        client = made.aws.client("s3")
        assert homes == [tmp_path]
        assert (made.settings.person, made.settings.sandbox) == ("ada", True)
        assert client.meta.endpoint_url == ENDPOINT["AWS_ENDPOINT_URL"]
        assert client.meta.config.proxies == {}
        assert client._request_signer._credentials.get_frozen_credentials()[:3] == (
            "local",
            "local",
            None,
        )
        assert dict(os.environ) == before
    finally:
        made.turns.close()


def test_services_are_shared_by_data_directory(
    homes: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(boot, "_made", {})
    first, again = boot.services(tmp_path / "a"), boot.services(tmp_path / "a")
    other = boot.services(tmp_path / "b")
    for made in (first, other):
        made.turns.close()
    assert first is again
    assert first is not other
    assert homes == [tmp_path / "a", tmp_path / "b"]


def test_what_the_environment_states_of_limits_counts_for_everybody_who_joins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    embedded = Embedded(tmp_path / "aws")
    embedded.reset()
    endpoint = ENDPOINT | {"AWS_ENDPOINT_URL": embedded.server.endpoint}
    stack = SimpleNamespace(ensure=lambda home: SimpleNamespace(environ=endpoint))
    monkeypatch.setattr(boot, "local_stack", lambda: stack)
    stated = {"LLMOPS_PERSON": "ada", "LLMOPS_MONTHLY_LIMIT_USD": "3", "LLMOPS_TEAM": "nlp"}
    boot.close(boot.services(tmp_path, stated))
    other = Limits(embedded.connect(person="ada"))
    assert other.month_of_person("ada", datetime.now(UTC)).limit_micro == parse_usd("3")
    assert other.team_of("ada") == "nlp"
    embedded.close()
