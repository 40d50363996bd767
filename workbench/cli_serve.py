"""`llmops serve`: the headless HTTP and SSE API on the AgentCore Runtime contract."""

import gc
from typing import Annotated

import typer

import workbench
from workbench.tables import line, note


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Another address than this machine's own needs a token.")
    ] = "127.0.0.1",
) -> None:
    """Serve the agent to programs: POST /invocations, GET /ping, sessions, jobs, plans, costs."""
    from agent import runtime, runtime_server  # noqa: PLC0415 (no other command needs a server)

    boot = workbench.boot
    made = boot.services()
    try:
        app = runtime.create_app(made, host, revive=lambda: boot.revive(made))
        with runtime_server.bind(host, port) as listening:
            shown = f"[{host}]" if ":" in host else host
            at = f"http://{shown}:{listening.getsockname()[1]}"
            runtime_server.server_of(app, lambda: _start(at)).run(sockets=[listening])
        note("Ending. Running turns may finish; what is interrupted is taken up again later.")
    finally:
        boot.close(made)


def _start(at: str) -> None:
    """What was imported by now stays: a look at all of it again would hold up every answer."""
    gc.freeze()
    line(f"Serving on {at} (Ctrl-C ends it).")
