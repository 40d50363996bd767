"""The courier looks while its process lives, once more at its end, and not at all without a channel."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mlops.aws.clients import Aws
from mlops.aws.notify import Round
from mlops.settings import Settings
from workbench import courier
from workbench.courier import Courier

WEBHOOK = {"LLMOPS_NOTIFY_WEBHOOK": "https://hooks.example.test/x"}


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    def deliver(aws: Aws, clock: Any) -> Round:
        found.append(aws)
        return Round()

    monkeypatch.setattr(courier, "deliver_due", deliver)
    return found


def test_it_looks_once_more_when_it_ends(looks: list[Any]):
    made = Courier(Aws(Settings.from_env(WEBHOOK)), lambda: datetime.now(UTC)).start()
    made.close()
    assert looks
    made.close()


def test_without_a_channel_there_is_no_thread(looks: list[Any]):
    made = Courier(Aws(Settings.from_env({})), lambda: datetime.now(UTC)).start()
    made.close()
    assert looks == []
