"""`llmops decisions`: who decided what and why, the proof that nobody changed it, and the replay.

Exit codes: 1 when a log does not hold or a replay differs, 3 for somebody else's log.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

import workbench
from mlops.errors import RequestError
from mlops.events import EventKind
from mlops.excerpts import excerpt
from workbench import cli_sessions
from workbench.proofs import Proof, verify_file
from workbench.tables import facts, json_out, line, note, table

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Session = Annotated[str, typer.Argument(help="As `llmops decisions list` names it.")]

DIFFERS = 1
_SHOWN = 160

app = typer.Typer(help="The decision log; alone it lists sessions.", add_completion=False)


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        list_(as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Your latest sessions and how long their logs are."""
    cli_sessions.draw(workbench.connect().sessions(), as_json)


@app.command()
def show(
    session: Session,
    kind: Annotated[
        EventKind | None, typer.Option(help="Only these, such as tool_call or approval.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Time, who, what and why of each decision."""
    found = workbench.connect().decision_log.show(session, kind)
    if as_json:
        return json_out(found)
    table(
        ("#", "at (UTC)", "who", "what", "why"),
        (
            (d.seq, f"{d.at:%H:%M:%S}", d.who, excerpt(d.what, _SHOWN), excerpt(d.why, _SHOWN))
            for d in found
        ),
        empty="Nothing of that kind was decided.",
    )


@app.command()
def verify(
    session: Annotated[str, typer.Argument(help="Not with --file.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="An export; needs no back end.", metavar="FILE")
    ] = None,
    seal: Annotated[
        str, typer.Option(help="A seal from elsewhere, such as a notification's.", metavar="HASH")
    ] = "",
    as_json: Json = False,
) -> None:
    """Prove that no event was altered, left out, moved or cut off."""
    if (file is None) == (not session):
        raise RequestError("bad_arguments", "Name a session, or a file with --file.")
    if file is not None:
        proof = verify_file(file, seal)
    else:
        proof = workbench.connect().decision_log.verify(session, seal)
    if as_json:
        json_out(proof)
    else:
        _tell(proof)
    raise typer.Exit(DIFFERS if proof.flaw else 0)


@app.command()
def export(
    session: Session,
    out: Annotated[Path | None, typer.Option(help="Into this file.", metavar="FILE")] = None,
) -> None:
    """The log as JSON lines, which `verify --file` proves anywhere."""
    text = workbench.connect().decision_log.export(session)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise RequestError("unwritable", f"{out}: {error.strerror}.") from error
    note(f"{out} holds the log of {session}.")


@app.command()
def replay(session: Session, as_json: Json = False) -> None:
    """Decide again what rules decided, without a model, and show every difference."""
    found = workbench.connect().decision_log.replay(session)
    if as_json:
        json_out(found)
    else:
        facts(
            {
                "rules then": ", ".join(found.rules_then) or "not logged",
                "rules now": found.rules_now,
                "decided again": ", ".join(f"{n} {name}" for name, n in found.checked.items()),
            }
        )
        for text in found.skipped:
            line(f"Not replayed: {excerpt(text, _SHOWN)}")
        table(
            ("#", "what", "where", "then", "now"),
            ((d.seq, d.what, d.path, d.stored, d.replayed) for d in found.differences),
            empty="Everything came out the same.",
        )
    raise typer.Exit(DIFFERS if found.differences else 0)


def _tell(proof: Proof) -> None:
    if proof.flaw is not None:
        return line(f"{proof.session} does not hold at event {proof.flaw.seq}: {proof.flaw.why}.")
    if proof.sealed_to is None:
        line(f"{proof.session} is consistent in itself: {proof.events} events.")
        return line(f"Compare the seal {proof.hash} with one kept elsewhere (--seal).")
    line(f"{proof.session} is what was sealed, up to event {proof.sealed_to} of {proof.events}.")
    if proof.sealed_to < proof.events:
        line("What follows is consistent in itself; a later seal proves it too.")
