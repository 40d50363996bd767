"""`llmops notifications`: the inbox, and a test of the channels that lead out of it."""

from typing import Annotated

import typer

import workbench
from mlops.errors import RequestError
from workbench.tables import json_out, line, table

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]

NOT_TAKEN = 1

app = typer.Typer(help="Notices; alone it lists them.", add_completion=False)


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        list_(as_json=as_json)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=200, help="The newest of them.")] = 50,
    read: Annotated[bool, typer.Option("--read", help="Mark all of them as read.")] = False,
    as_json: Json = False,
) -> None:
    """What waits for you, has finished or failed, and what is nearly spent; newest first."""
    inbox = workbench.connect().inbox
    found = inbox.latest(limit)
    if as_json:
        json_out(found)
    else:
        table(
            ("", "at (UTC)", "what", "text", "conversation", "sent"),
            (
                (
                    "new" if stored.read_at is None else "",
                    f"{stored.notice.at:%Y-%m-%d %H:%M}",
                    stored.notice.title,
                    " ".join(stored.notice.text.split()),
                    stored.notice.session_id,
                    ", ".join(f"{c} {how}" for c, how in stored.deliveries.items()) or None,
                )
                for stored in found
            ),
            empty="There are no notices.",
        )
    if read:
        inbox.mark_all_read()


@app.command()
def test(as_json: Json = False) -> None:
    """Send one message by each configured channel, and say what came of it."""
    trials = workbench.connect().inbox.test()
    if not trials:
        how = "set LLMOPS_NOTIFY_TOPIC_ARN or LLMOPS_NOTIFY_WEBHOOK"
        raise RequestError("no_channel", f"No channel is configured: {how}.")
    if as_json:
        json_out(trials)
    else:
        for trial in trials:
            line(f"{trial.channel}: {trial.problem or 'taken'}")
    raise typer.Exit(NOT_TAKEN if any(trial.problem for trial in trials) else 0)
