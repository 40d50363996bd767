"""`llmops ask` and `llmops approve`: one request, told line by line to its end."""

from datetime import UTC, datetime
from typing import Annotated

import typer

import workbench
from mlops.approvals import Approval
from mlops.errors import RequestError
from workbench.tables import json_out, line
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
    queue: Annotated[
        bool, typer.Option("--queue", help="Start it when quota is free, and do not wait here.")
    ] = False,
    at: Annotated[
        str | None, typer.Option(help="Queue it, not before this time.", metavar="ISO")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Queue it, and give up after this time.", metavar="ISO")
    ] = None,
    as_json: Json = False,
) -> None:
    """Allow a plan to cost up to its ceiling, start it, and follow it to the report."""
    bench = workbench.connect()
    if queue or at or until:
        stored = bench.queue(plan_id, _moment(at), _moment(until))
        return json_out(stored) if as_json else _tell_queue(stored)
    session = bench.stored_plan(plan_id).session_id
    raise typer.Exit(Telling(bench, session, as_json).approve(plan_id))


def _moment(text: str | None) -> datetime | None:
    """An ISO time; without an offset it is this machine's local time."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        wanted = "such as 2026-11-22T18:00"
        raise RequestError("bad_time", f"{text!r} is not a time {wanted}.") from error


def _tell_queue(approval: Approval) -> None:
    queue = approval.queue
    if queue is None:
        return line(f"{approval.plan_id} was approved before and is not queued.")
    begins = f"from {queue.not_before:%Y-%m-%d %H:%M} UTC" if queue.not_before else "now"
    line(f"{approval.plan_id} is queued {begins} until {queue.until:%Y-%m-%d %H:%M} UTC.")
    line("It is started as soon as quota is free. See it with: llmops jobs")
