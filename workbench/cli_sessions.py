"""`llmops sessions`: list, show, rename, share, export."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

import workbench
from mlops.events import Event, EventKind
from workbench import lines
from workbench.tables import complain, facts, json_out, line, table

if TYPE_CHECKING:
    from mlops.aws.sessions import Session

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Id = Annotated[str, typer.Argument(help="Id of the conversation, as listed.", metavar="ID")]

_NOTHING = 'You have not asked anything yet. Begin with: llmops ask "What datasets are there?"'

app = typer.Typer(help="My conversations; alone it lists them.", add_completion=False)


class Format(StrEnum):
    JSON = "json"
    MARKDOWN = "md"


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        show_all(as_json=as_json)


@app.command("list")
def show_all(
    search: Annotated[str, typer.Option(help="Only titles with these words.")] = "",
    as_json: Json = False,
) -> None:
    """The latest, newest first; a search looks at all."""
    found = workbench.connect().sessions(search)
    draw(found, as_json, f"No title has these words: {search}" if search else _NOTHING)
    if found and not as_json:
        line('Go on in one of them: llmops ask "…" --session ID')


@app.command()
def show(session_id: Id, as_json: Json = False) -> None:
    """What was said and done in a conversation."""
    bench = workbench.connect()
    session = bench.session(session_id)
    events = bench.events(session_id)
    if as_json:
        return json_out(_wire(session) | {"events": [_event(event) for event in events]})
    shared = "whoever has its link" if session.is_shared else None
    facts({"session": session_id, "title": session.title, "read by": shared})
    for event in events:
        _tell(event)


@app.command()
def rename(
    session_id: Id, title: Annotated[str, typer.Argument(help="Up to 80 characters.")]
) -> None:
    """Give a conversation another title."""
    renamed = workbench.connect().rename(session_id, title)
    line(f"{session_id} is called {renamed.title} now.")


@app.command()
def share(
    session_id: Id,
    stop: Annotated[bool, typer.Option("--stop", help="The link shows nothing any more.")] = False,
) -> None:
    """A link with which others may read along, and do nothing else; an earlier link ends."""
    bench = workbench.connect()
    if stop:
        bench.stop_sharing(session_id)
        return line(f"{session_id} is not shared any more.")
    token = bench.share(session_id)
    line("Whoever has this link may read along. Put the dashboard's address before it:")
    line(f"/?c={session_id}&share={token}")
    line(f"It is told only now. To end it: llmops sessions share {session_id} --stop")


@app.command()
def export(
    session_id: Id,
    form: Annotated[
        Format, typer.Option("--format", help="json is what `llmops decisions verify` proves.")
    ] = Format.JSON,
) -> None:
    """Write a conversation to stdout: its log as JSON lines, or a page to read."""
    bench = workbench.connect()
    if form is Format.MARKDOWN:
        sys.stdout.write(bench.transcript(session_id).as_markdown())
    else:
        sys.stdout.write(bench.decision_log.export(session_id))
    sys.stdout.flush()


def draw(found: Sequence["Session"], as_json: bool, empty: str = _NOTHING) -> None:
    """A list of sessions; how many events each log has was read with it."""
    if as_json:
        return json_out([_wire(session) for session in found])
    table(
        ("session", "title", "events", "shared", "last change (UTC)"),
        (
            (
                s.session_id,
                s.title,
                s.events,
                "yes" if s.is_shared else "no",
                f"{s.updated_at:%Y-%m-%d %H:%M}",
            )
            for s in found
        ),
        empty=empty,
    )


def _tell(event: Event) -> None:
    if event.kind is EventKind.USER:
        return line(f"> {event.data['text']}", "bold")
    if event.kind is EventKind.ERROR:
        return complain(*lines.of_refusal(event.data))
    for text in lines.of_event(event):
        line(text)


def _wire(session: "Session") -> dict[str, object]:
    """What a program needs; not what runs at the moment."""
    shown = {"session_id", "title", "updated_at", "is_shared", "events"}
    return session.model_dump(mode="json", include=shown)


def _event(event: Event) -> dict[str, object]:
    return event.model_dump(mode="json")
