"""`llmops ask` and `llmops approve`: one request, told line by line to its end."""

from typing import Annotated

import typer

import workbench
from workbench.telling import Telling

Json = Annotated[bool, typer.Option("--json", help="One event per line, for programs.")]


def ask(
    text: Annotated[str, typer.Argument(help="What you want, in plain words.")],
    approve: Annotated[
        bool,
        typer.Option("--approve", help="Start the plan: it fits the budget that you state."),
    ] = False,
    session: Annotated[
        str | None, typer.Option(help="Go on in this conversation.", metavar="ID")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask for anything: a question, a plan, or a trained model within a budget."""
    bench = workbench.connect()
    telling = Telling(bench, session or bench.new_session(), as_json)
    raise typer.Exit(telling.ask(text, approve))


def approve(
    plan_id: Annotated[str, typer.Argument(help="As printed with the plan.")],
    as_json: Json = False,
) -> None:
    """Allow a plan to cost up to its ceiling, start it, and follow it to the report."""
    bench = workbench.connect()
    session = bench.stored_plan(plan_id).session_id
    raise typer.Exit(Telling(bench, session, as_json).approve(plan_id))
