"""`llmops mcp`: our tools as an MCP server, for other assistants and editors."""

import logging
import secrets
import sys
from contextlib import suppress
from types import ModuleType
from typing import Annotated, Any

import typer

import workbench
from mlops.errors import RequestError
from mlops.settings import Settings, is_loopback
from workbench.tables import json_out, note, table

app = typer.Typer(help="Our tools for other assistants.", add_completion=False)


@app.callback(invoke_without_command=True)
def serve(
    ctx: typer.Context,
    http: Annotated[
        bool, typer.Option("--http", help="Over HTTP instead of standard input and output.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="With --http; 0 takes a free one.", min=0, max=65535)
    ] = 8765,
    host: Annotated[
        str, typer.Option(help="With --http; an address of this machine.")
    ] = "127.0.0.1",
) -> None:
    """Offer the tools to other assistants by MCP. Launching still needs a person's approval."""
    if ctx.invoked_subcommand is not None:
        return
    _log_to_stderr()
    server = _server()
    _check_loopback(host)
    made = workbench.boot.services()
    try:
        offered = server.create_server(made)
        with suppress(KeyboardInterrupt):
            _over_http(server, offered, made.settings, host, port) if http else server.run_stdio(
                offered
            )
    finally:
        workbench.boot.close(made)


@app.command()
def servers(
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.")] = False,
) -> None:
    """The other MCP servers whose tools the agent may use, as LLMOPS_MCP_SERVERS names them."""
    from agent.external_servers import read_servers  # noqa: PLC0415 (parsing needs no agent)

    _log_to_stderr()
    made = workbench.boot.services()
    try:
        named = read_servers(made.settings.mcp_servers)
        tools = [spec.name for spec in made.gateway.list_tools()] if named else []
    finally:
        workbench.boot.close(made)
    found = {s.name: [tool for tool in tools if tool.startswith(f"{s.name}___")] for s in named}
    if as_json:
        return json_out([{"name": name, "tools": offered} for name, offered in found.items()])
    rows = [(name, ", ".join(offered) or "none") for name, offered in found.items()]
    table(("server", "tools"), rows, "LLMOPS_MCP_SERVERS names no server.")


def _server() -> ModuleType:
    """RequestError when its package is not installed."""
    try:
        from workbench import mcp_server  # noqa: PLC0415 (an extra; most commands do without)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "mcp":
            raise
        raise RequestError(
            "missing_extra",
            "The MCP server needs the package mcp. Install it with: pip install 'agenticaiops[mcp]'",
        ) from error
    return mcp_server


def _over_http(server: ModuleType, offered: Any, settings: Settings, host: str, port: int) -> None:
    from agent.runtime_server import bind  # noqa: PLC0415 (no other way needs a server)

    token, is_new = _token(settings)
    with bind(host, port) as listening:
        note(f"MCP server at http://{host}:{listening.getsockname()[1]}{server.PATH}")
        if is_new:
            note(f"Its token, shown only now: {token}")
        server.run_http(offered, listening, token)


def _token(settings: Settings) -> tuple[str, bool]:
    """The one of the settings, else a new one; True when it is new."""
    if settings.mcp_token is None:
        return secrets.token_urlsafe(32), True
    return settings.mcp_token.get_secret_value(), False


def _check_loopback(host: str) -> None:
    """The token goes in the clear; others reach the server through a proxy with TLS."""
    if not is_loopback(host):
        raise RequestError(
            "bad_host",
            f"{host[:100]} is not this machine alone: use 127.0.0.1, and a proxy with TLS before it.",
        )


def _log_to_stderr() -> None:
    """Warnings go to standard error, as standard output carries the protocol.

    The mcp package logs an error whenever a client leaves: that is left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
