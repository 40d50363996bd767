"""What code adds to a client's call: times of day are the person's own, as in the chat."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops.settings import Settings
from tests.mlops.aws.in_process import Dynamo, connect
from workbench import boot
from workbench.mcp_session import McpSession

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "starts"),
    [(None, "2026-11-22T18:00:00+00:00"), ("Asia/Tokyo", "2026-11-23T09:00:00+00:00")],
)
def test_a_time_in_a_request_is_by_the_persons_clock(
    tmp_path: Path, zone: str | None, starts: str
):
    dynamo, sent = Dynamo(tmp_path), list[dict[str, Any]]()

    def invoke(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        sent.append(arguments)
        return {"plan": {}}

    settings = Settings(person="ada", timezone=zone)
    services = SimpleNamespace(
        settings=settings,
        aws=connect(dynamo, None, settings),
        gateway=SimpleNamespace(invoke_tool=invoke),
    )
    session = McpSession(cast(boot.Services, services), lambda: NOON)
    request = "Train NER on cier, at most $5, start at 18:00"
    session.call("plan_training", {"dataset": "cier", "request": request})
    assert sent[0]["constraints"]["start_at"] == starts
    assert sent[0]["constraints"]["timezone"] == zone
    dynamo.store.close()
