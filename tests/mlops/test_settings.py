"""Settings: explicit argument > environment > default; malformed values are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import RequestError
from mlops.settings import ENVIRONMENT, Settings

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-./:", min_size=1, max_size=30)


def test_defaults_without_any_environment():
    assert Settings.from_env({}) == Settings()
    assert Settings().monthly_limit_usd == "50"
    assert Settings().launch_within_stated_budget is False


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLMOPS_PERSON", "grace")
    assert Settings.from_env().person == "grace"


def test_explicit_wins_over_environment_and_that_over_the_default():
    environ = {"LLMOPS_PERSON": "env", "AWS_DEFAULT_REGION": "eu-central-1"}
    settings = Settings.from_env(environ, person="explicit")
    assert (settings.person, settings.region) == ("explicit", "eu-central-1")


def test_an_empty_variable_is_unset():
    assert Settings.from_env({"LLMOPS_PERSON": ""}).person == "local"


def test_engines_are_a_list():
    assert Settings.from_env({"LLMOPS_ENGINES": " crf , lora,"}).engines == ("crf", "lora")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False)])
def test_switches(text: str, value: bool):
    assert Settings.from_env({"LLMOPS_SANDBOX": text}).sandbox is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLMOPS_BILLED_OVERHEAD_SECONDS", "soon"),
        ("LLMOPS_PRICE_MAX_AGE_DAYS", "-1"),
        ("USE_AGENTCORE_GATEWAY", "perhaps"),
        ("LLMOPS_MONTHLY_LIMIT_USD", "fifty"),
        ("LLMOPS_MONTHLY_LIMIT_USD", "-5"),
    ],
)
def test_a_malformed_value_is_refused_by_its_variable(name: str, value: str):
    with pytest.raises(RequestError) as caught:
        Settings.from_env({name: value})
    assert caught.value.code == "bad_setting"
    assert name in caught.value.message


def test_an_unknown_setting_is_refused():
    with pytest.raises(RequestError):
        Settings.from_env({}, colour="red")


@given(
    st.builds(
        Settings,
        region=WORDS,
        endpoint_url=st.none() | WORDS,
        prefix=WORDS,
        person=WORDS,
        training_archive_uri=st.just("") | WORDS,
        billed_overhead_seconds=st.integers(0, 10**6),
        engines=st.lists(st.sampled_from(["crf", "lora"]), min_size=1, unique=True).map(tuple),
        sandbox=st.booleans(),
        use_gateway=st.booleans(),
        react=st.booleans(),
        launch_within_stated_budget=st.booleans(),
        monthly_limit_usd=st.sampled_from(["0", "50", "0.0001"]),
    )
)
def test_another_process_gets_the_same_settings(settings: Settings):
    assert Settings.from_env(settings.to_env()) == settings


def test_every_setting_has_a_variable():
    assert set(ENVIRONMENT.values()) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("changes", "by_lambda"),
    [
        ({}, True),
        ({"gateway_id": "llmops-abc123"}, False),
        ({"gateway_id": "llmops-abc123", "use_gateway": False}, True),
    ],
)
def test_which_gateway_is_used(changes: dict[str, object], by_lambda: bool):
    assert Settings.from_env({}, **changes).uses_lambda_gateway is by_lambda


def test_the_token_of_a_gateway_is_shown_to_nobody():
    settings = Settings.from_env({"LLMOPS_GATEWAY_TOKEN": "hush-hush"})
    assert settings.gateway_token is not None
    assert settings.gateway_token.get_secret_value() == "hush-hush"
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {settings.to_env()}"
    assert "hush-hush" not in shown and "LLMOPS_GATEWAY_TOKEN" not in shown


def test_buckets_carry_the_prefix():
    settings = Settings(prefix="team")
    assert (settings.datasets_bucket, settings.models_bucket) == ("team-datasets", "team-models")


@pytest.mark.parametrize("url", ["https://hooks.example.test/x", "http://127.0.0.1:9/x"])
def test_a_webhook_is_a_secret_that_no_function_is_given(url: str):
    settings = Settings.from_env({"LLMOPS_NOTIFY_WEBHOOK": url})
    assert settings.notify_channels == ("webhook",)
    assert url not in f"{settings!r}{settings.to_env()}"
    assert Settings.from_env(settings.to_env()).notify_channels == ("webhook",)
    assert Settings.from_env({}).notify_channels == ()


@pytest.mark.parametrize(
    "url", ["http://hooks.example.test/secret", "ftp://x/secret", "secret", "https://u:secret@x/"]
)
def test_a_webhook_elsewhere_must_be_https_and_is_not_repeated(url: str):
    with pytest.raises(RequestError, match="LLMOPS_NOTIFY_WEBHOOK") as refused:
        Settings.from_env({"LLMOPS_NOTIFY_WEBHOOK": url})
    assert "secret" not in refused.value.message.replace("secret_value", "")
