"""`llmops jobs`: list, show, logs, stop, retry."""

from datetime import UTC, datetime
from typing import Annotated

import typer

import workbench
from mlops.job import Job
from mlops.money import show_usd
from mlops.report import SANDBOX
from workbench import lines
from workbench.tables import facts, json_out, line, table, usd

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Name = Annotated[str, typer.Argument(help="Name of the job.")]

app = typer.Typer(help="Training jobs; alone it lists them.", add_completion=False)


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        show_all(as_json=as_json)


@app.command("list")
def show_all(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest of them.")] = 100,
    as_json: Json = False,
) -> None:
    """Running and past jobs, newest first."""
    bench = workbench.connect()
    found = bench.jobs(limit)
    if as_json:
        return json_out(found)
    table(
        ("job", "state", "dataset", "model", "instance", "billed", "cost", "test F1", "created"),
        (_row(job) for job in found),
        empty='There are no training jobs yet. Ask for one: llmops ask "Train NER on cier …"',
    )
    for plan in bench.waiting():
        most = f"at most {usd(plan.ceiling_usd)}"
        line(f"Waits: {plan.plan_id} for {plan.dataset}, {most}. {plan.message}")
    if found:
        line(lines.of_estimates(bench.estimate_error()))


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """One job: state, cost, metrics, where its model lies."""
    _show(workbench.connect().job(name), as_json)


@app.command()
def logs(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The last lines.")] = 200,
    as_json: Json = False,
) -> None:
    """What a job printed last."""
    found = workbench.connect().logs(name, limit)
    if as_json:
        return json_out(found)
    for entry in found:
        line(f"{entry.at:%H:%M:%S} {entry.text}")
    if not found:
        line("It has not printed anything.")


@app.command()
def stop(name: Name, as_json: Json = False) -> None:
    """Stop a job or a plan's run, whose use until then is charged; a queued plan leaves the queue."""
    if name.startswith("plan-"):
        return _stop_plan(name, as_json)
    _show(workbench.connect().stop(name), as_json)


@app.command()
def retry(name: Name, as_json: Json = False) -> None:
    """Launch a failed or stopped job again, within what was approved for its plan."""
    _show(workbench.connect().retry(name), as_json)


def _stop_plan(plan_id: str, as_json: bool) -> None:
    given = workbench.connect().stop_plan(plan_id)
    if as_json:
        return json_out(given)
    if given.job is not None:
        return _show(given.job, as_json)
    line(f"{plan_id} is out of the queue; {usd(given.released_usd)} were given back.")


def _show(job: Job, as_json: bool) -> None:
    if as_json:
        return json_out(job)
    facts(
        {
            "job": job.job_name,
            "state": job.state,
            "ended": job.end_reason,
            "reason": job.failure_reason,
            "dataset": f"{job.dataset}{' (synthetic)' if job.synthetic else ''}",
            "model": f"{job.model} ({job.engine})",
            "instance": f"{job.instance_type} at ${job.usd_per_hour}/h",
            "time": _billed(job),
            "cost": lines.of_cost(job, datetime.now(UTC)),
            "plan": job.plan_id,
            "model at": job.model_uri,
        }
    )
    table(
        ("metric", "value"),
        ((name, f"{value:.4f}") for name, value in job.metrics.items()),
        empty="No metrics yet.",
    )
    if job.sandbox:
        line(SANDBOX)


def _row(job: Job) -> tuple[object, ...]:
    f1 = job.metrics.get("test_f1")
    return (
        job.job_name,
        job.state,
        f"{job.dataset}{' (synthetic)' if job.synthetic else ''}",
        job.model,
        job.instance_type,
        _billed(job),
        show_usd(job.cost_so_far_micro(datetime.now(UTC))),
        f"{f1:.4f}" if f1 is not None else None,
        f"{job.created_at:%Y-%m-%d %H:%M}",
    )


def _billed(job: Job) -> str | None:
    return None if job.billed_seconds is None else f"{job.billed_seconds} s"
