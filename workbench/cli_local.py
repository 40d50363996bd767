"""`llmops local`: the embedded AWS of this data directory, started, looked at, stopped, emptied."""

from typing import Annotated, Any

import typer

import workbench
from workbench.tables import facts, json_out, line

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]

app = typer.Typer(help="The embedded AWS; alone it shows its state.", add_completion=False)


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        status(as_json)


@app.command()
def start(as_json: Json = False) -> None:
    """Start it, or find it running."""
    boot = workbench.boot
    boot.local_stack().ensure(boot.data_home())
    status(as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Whether it runs, where it answers, and where its data lies."""
    boot = workbench.boot
    found = boot.local_stack().status(boot.data_home()).model_dump(mode="json")
    json_out(found) if as_json else _show(found)


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop it. Running jobs go on at the next start; no data is lost."""
    boot = workbench.boot
    boot.local_stack().stop(boot.data_home())
    status(as_json)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Stop it and delete all of its data: datasets, models, jobs, conversations, bookings."""
    boot = workbench.boot
    home = boot.data_home()
    if not yes:
        typer.confirm(f"Delete everything in {home}?", abort=True)
    boot.local_stack().reset(home)
    status(as_json)


def _show(found: dict[str, Any]) -> None:
    line(
        "The embedded AWS is running." if found["running"] else "The embedded AWS is not running."
    )
    facts({name: found[name] for name in ("endpoint", "pid", "started_at", "home")})
