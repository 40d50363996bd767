"""`llmops gateway register`: our tools at AgentCore Gateway, of AWS or of the embedded AWS."""

import os
from typing import Annotated

import typer

import workbench
from workbench.tables import facts, json_out, line

app = typer.Typer(help="The tools at AgentCore Gateway.", add_completion=False)


@app.callback()
def _group() -> None:
    """A group, so that its one command keeps its name."""


@app.command()
def register(
    name: Annotated[str, typer.Option(help="The gateway: found by name, or made.")] = "llmops",
    role: Annotated[
        str, typer.Option(help="ARN of the role with which it invokes the tools' functions.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.")] = False,
) -> None:
    """Make a gateway that offers our tools, or bring it up to date. Nothing is deleted."""
    from mlops.aws import gateway  # noqa: PLC0415 (most commands need no AWS)

    boot = workbench.boot
    # By Lambda, whatever the settings say: the gateway that they name may not be there yet.
    made = boot.services(environ=os.environ | {"USE_AGENTCORE_GATEWAY": "false"})
    try:
        done = gateway.register(made.aws, name, role or made.settings.role_arn)
    finally:
        boot.close(made)
    if as_json:
        return json_out(done)
    facts(
        {
            "gateway": f"{done.gateway_id} ({'made' if done.created else 'found'})",
            "url": done.gateway_url,
            "tools": f"{len(done.targets)}, {len(done.changed)} of them new or changed",
        }
    )
    line(f"To use it, set AGENTCORE_GATEWAY_ID={done.gateway_id}")
