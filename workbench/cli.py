"""The `llmops` command: what a person types in, tables or JSON and an exit code out.

Exit codes: 0 done, or a plan waits for approval; 2 the request needs something; 3 refused by a
rule; 4 the training job failed; 1 a fault of ours; 130 interrupted.
"""

import errno
import io
import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mlops.constraints import parse as parse_text
from mlops.errors import FaultError, OpsError
from mlops.version import VERSION
from workbench import (
    cli_ask,
    cli_datasets,
    cli_decisions,
    cli_gateway,
    cli_jobs,
    cli_local,
    cli_market,
    cli_mcp,
    cli_money,
    cli_notices,
    cli_serve,
    cli_sessions,
    lines,
)
from workbench.tables import complain, facts, json_out, line
from workbench.wording import encodable

DEBUG_LOG = "llmops-debug.log"
# In detail these write signed requests, tokens included.
_SIGNERS = ("boto3", "botocore", "urllib3")


class Door(TyperGroup):
    """Every failure leaves here as one line and an exit code; a traceback only goes to a log."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OpsError as error:
            logging.debug("%s", error.code, exc_info=True)
            complain(*lines.of_failure(error))
            raise typer.Exit(error.exit_code) from error
        except Exception as error:
            if _is_typers(error):
                raise
            logging.debug("fault", exc_info=True)
            complain(_fault(error).message)
            raise typer.Exit(FaultError.exit_code) from error


app = typer.Typer(
    name="llmops",
    cls=Door,
    help="One sentence becomes a trained, evaluated model and a report, never a cent over budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "–" gets a "?"
    app(prog_name="llmops")


def _print_version(wanted: bool) -> None:
    if wanted:
        line(f"llmops {VERSION}")
        raise typer.Exit()


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Write every detail to ./{DEBUG_LOG}.")
    ] = False,
) -> None:
    if not debug:
        logging.basicConfig(handlers=[logging.NullHandler()])  # no traceback on a terminal
        return
    logging.basicConfig(filename=DEBUG_LOG, level=logging.DEBUG)
    for name in _SIGNERS:
        logging.getLogger(name).setLevel(logging.INFO)


@app.command()
def parse(
    text: Annotated[str, typer.Argument(help="A request in plain words.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.")] = False,
) -> None:
    """What a sentence means to us: intent and constraints. Nothing else happens."""
    parsed = parse_text(encodable(text))
    if as_json:
        return json_out(parsed)
    facts({"intent": parsed.intent})
    for name, value in parsed.constraints.model_dump(mode="json", exclude_none=True).items():
        said = f'   from "{parsed.evidence[name]}"' if name in parsed.evidence else ""
        line(f"{name:<17} {value}{said}")
    for problem in parsed.problems:
        line(f"Problem with {problem.clause}: {problem.message}")


app.command()(cli_ask.ask)
app.command()(cli_ask.approve)
app.add_typer(cli_sessions.app, name="sessions")
app.add_typer(cli_datasets.app, name="datasets")
app.add_typer(cli_market.gpus, name="gpus")
app.command()(cli_market.plan)
app.add_typer(cli_jobs.app, name="jobs")
app.command()(cli_money.costs)
app.add_typer(cli_money.budget, name="budget")
app.add_typer(cli_decisions.app, name="decisions")
app.add_typer(cli_notices.app, name="notifications")
app.add_typer(cli_gateway.app, name="gateway")
app.add_typer(cli_mcp.app, name="mcp")
app.add_typer(cli_local.app, name="local")
app.command()(cli_serve.serve)


def _is_typers(error: Exception) -> bool:
    """Usage errors, exits and closed pipes, which typer ends properly itself."""
    closed = isinstance(error, OSError) and error.errno == errno.EPIPE
    return closed or isinstance(error, typer.Abort) or hasattr(error, "exit_code")


def _fault(error: Exception) -> FaultError:
    said = str(error) or type(error).__name__
    debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
    details = f"see {DEBUG_LOG}" if debugging else "repeat it as llmops --debug …"
    return FaultError("internal", f"This is a fault of ours: {said}. For details {details}.")
