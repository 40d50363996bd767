"""Taking back a wait and ending a run are two things, on a real embedded AWS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localaws import stack
from mlops.errors import RefusedError
from mlops.job import EndReason
from tests.patience import eventually
from workbench import boot
from workbench.workbench import Workbench


@pytest.fixture
def services(tmp_path: Path) -> Iterator[boot.Services]:
    home = tmp_path / "home"
    made = boot.services(home, {})
    yield made
    made.turns.close()
    stack.stop(home)


def test_taking_back_a_wait_stops_no_run_that_began_meanwhile(services: boot.Services):
    bench = Workbench(services)
    plan = bench.plan("Train NER on cier-small, at most $1")
    until = datetime.now(UTC) + timedelta(hours=2)
    bench.queue(plan.plan_id, None, until)
    services.aws.client("lambda").invoke(FunctionName="llmops-watchdog", Payload=b"{}")
    [job] = eventually(bench.jobs)
    with pytest.raises(RefusedError):
        bench.cancel(plan.plan_id)
    ended = eventually(lambda: found if (found := bench.job(job.job_name)).settled else None)
    assert ended.end_reason is EndReason.FINISHED, ended.failure_reason
