"""Many launches at once against one limit: processes that all want the same money in, what was admitted out.

Run at full size by `python -m benchmarks money`; a test runs it smaller.
"""

import io
import json
import multiprocessing
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from pydantic import BaseModel, ConfigDict

from benchmarks.back_end import temporary_home
from benchmarks.tables import Table
from benchmarks.workload import utc_now
from localaws import stack
from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.repair import repair
from mlops.errors import OpsError
from mlops.ledger import disagreements, person_scope, plan_scope
from mlops.plan import Plan
from mlops.quotas import ACCOUNT_WIDE, quota_name
from mlops.settings import Settings
from workbench import boot
from workbench.workbench import Workbench

LAUNCHES, PROCESSES = 1000, 8
SCRIPT = "import time\ntime.sleep(1)\nprint('eval_f1=0.9 test_f1=0.9', flush=True)\n"  # one second
_RULES = ("llmops-on-training-event", "llmops-watchdog")
_END_SECONDS, _LOOK_SECONDS = 600.0, 0.5


class Contest(BaseModel):
    """What became of launches with a ceiling of $1.00 each against one monthly limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    launches: int
    accepted: int
    refused: dict[str, int]
    without_alternatives: int
    launch_seconds: float
    most_reserved_micro: int
    settled: int
    spent_micro: int
    reserved_micro: int
    disagreements: tuple[str, ...]


def run() -> Iterator[Table]:
    with temporary_home() as home:
        found = contest(home, LAUNCHES, PROCESSES, "100")
    yield Table(
        title=f"{LAUNCHES} launches of $1.00 against $100.00, from {PROCESSES} processes",
        columns=("what", "figure"),
        rows=(
            ("accepted (at most 100)", str(found.accepted)),
            *((f"refused: {code}", str(n)) for code, n in sorted(found.refused.items())),
            ("refused without alternatives (0)", str(found.without_alternatives)),
            ("most reserved at once, micro-USD", str(found.most_reserved_micro)),
            ("jobs settled (all accepted)", str(found.settled)),
            ("spent in the end, micro-USD", str(found.spent_micro)),
            ("still reserved in the end, micro-USD (0)", str(found.reserved_micro)),
            ("disagreements of the ledger (0)", str(len(found.disagreements))),
            ("all launches answered after", f"{found.launch_seconds:.1f} s"),
        ),
        notes=(
            "Embedded AWS, metered and not billed; quota raised; a script of one second. Settling",
            "waits until every launch has its answer, so that no settled job makes room for another.",
        ),
    )


def contest(home: Path, launches: int, processes: int, limit_usd: str) -> Contest:
    """Starts an embedded AWS of its own in `home`, which must be empty."""
    home.mkdir(parents=True, exist_ok=True)
    quotas = {ACCOUNT_WIDE: 10_000, quota_name("ml.m5.large", False): 10_000}
    (home / "quotas.json").write_text(json.dumps(quotas))
    environ = stack.ensure(home).environ | {"LLMOPS_MONTHLY_LIMIT_USD": limit_usd}
    aws = connect(environ)
    environ["LLMOPS_TRAINING_ARCHIVE"] = upload_script(aws, SCRIPT)
    template = one_stage(home)
    with _nobody_settles(aws):
        began = time.perf_counter()
        answers = _race(environ, template, launches, processes)
        seconds = time.perf_counter() - began
        most = _month(aws).reserved_micro
    names = [answer for answer in answers if answer.startswith("job:")]
    jobs = _settled(aws, [name.removeprefix("job:") for name in names])
    month, refused = _month(aws), [a for a in answers if not a.startswith("job:")]
    return Contest(
        launches=launches,
        accepted=len(names),
        refused=Counter(refused),
        without_alternatives=sum(code.endswith("!") for code in refused),
        launch_seconds=seconds,
        most_reserved_micro=most,
        settled=jobs,
        spent_micro=month.spent_micro,
        reserved_micro=month.reserved_micro,
        disagreements=tuple(_wrong(aws, template, launches)),
    )


def connect(environ: dict[str, str]) -> Aws:
    """As a process of its own would."""
    session = boto3.Session("local", "local", region_name=environ["AWS_DEFAULT_REGION"])
    return Aws(Settings.from_env(environ), session)


def upload_script(aws: Aws, script: str) -> str:
    """The URI of a training archive that holds just this script."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo("train.py")
        info.size = len(script)
        archive.addfile(info, io.BytesIO(script.encode()))
    bucket, key = aws.settings.models_bucket, "code/benchmark/sourcedir.tar.gz"
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content.getvalue())
    return f"s3://{bucket}/{key}"


def one_stage(home: Path) -> Plan:
    """A plan of one CRF stage on ml.m5.large with a ceiling and a budget of $1.00."""
    services = boot.services(home, {})
    try:
        plan = Workbench(services).plan("Train NER on cier-small, at most $1")
    finally:
        boot.close(services)
    stage = plan.stages[0].model_copy(update={"ceiling_usd": "1.00"})
    changes = {"stages": (stage,), "ceiling_usd": "1.00", "budget_usd": "1.00"}
    return plan.model_copy(update=changes)


def _race(environ: dict[str, str], template: Plan, launches: int, processes: int) -> list[str]:
    """One answer per launch: "job:NAME", or the code of the refusal ("!" without alternatives)."""
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(processes), spawn.Queue()
    shares = [range(n, launches, processes) for n in range(processes)]
    arguments = [(environ, template.model_dump_json(), share, start, answers) for share in shares]
    workers = [spawn.Process(target=_work, args=one) for one in arguments]
    for worker in workers:
        worker.start()
    try:
        return [answers.get(timeout=_END_SECONDS) for _ in range(launches)]
    finally:
        for worker in workers:
            worker.join(10)
            worker.kill()


def _work(environ: dict[str, str], template: str, share: range, start: Any, answers: Any) -> None:
    aws, made = connect(environ), Plan.model_validate_json(template)
    plans = [_numbered(made, number) for number in share]
    for plan in plans:
        Plans(aws).save(plan)
        Plans(aws).approve(plan, plan.person, utc_now())
    start.wait()
    for plan in plans:
        answers.put(_try(aws, plan))


def _try(aws: Aws, plan: Plan) -> str:
    try:
        return f"job:{launch(aws, plan, 1, utc_now()).job.job_name}"
    except OpsError as error:
        return error.code + ("" if error.alternatives else "!")


def _numbered(plan: Plan, number: int) -> Plan:
    name = f"plan-{number:016x}"
    return plan.model_copy(update={"plan_id": name, "session_id": name, "turn": "t"})


@contextmanager
def _nobody_settles(aws: Aws) -> Iterator[None]:
    _switch(aws, "DISABLED")
    try:
        yield
    finally:
        _switch(aws, "ENABLED")


def _switch(aws: Aws, state: str) -> None:
    events = aws.client("events")
    for name in _RULES:
        rule = events.describe_rule(Name=name)
        kept = {k: rule[k] for k in ("EventPattern", "ScheduleExpression") if rule.get(k)}
        events.put_rule(Name=name, State=state, **kept)


def _settled(aws: Aws, names: list[str]) -> int:
    """How many are settled once nothing is open any more, or the patience has run out."""
    deadline = time.monotonic() + _END_SECONDS
    while Jobs(aws).open() and time.monotonic() < deadline:
        repair(aws, utc_now)
        time.sleep(_LOOK_SECONDS)
    return sum(Jobs(aws).get(name).settled for name in names)


def _month(aws: Aws) -> Any:
    return Ledger(aws).totals(person_scope(aws.settings.person, utc_now()))


def _wrong(aws: Aws, template: Plan, launches: int) -> Iterator[str]:
    plans = (plan_scope(_numbered(template, n).plan_id) for n in range(launches))
    ledger = Ledger(aws)
    for scope in (person_scope(aws.settings.person, utc_now()), *plans):
        totals = ledger.totals(scope)
        if totals is not None:
            yield from disagreements(totals, ledger.entries(scope))
