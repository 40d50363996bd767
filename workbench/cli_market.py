"""`llmops gpus` and `llmops plan`: what could be had, and what a request would cost."""

from typing import Annotated

import typer

import workbench
from mlops.tools import OfferRow
from workbench import lines
from workbench.tables import json_out, line, table

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


def gpus(as_json: Json = False) -> None:
    """Instance types, cheap first: GPU, price, quota and what of it is free."""
    found = workbench.connect().gpus()
    if as_json:
        return json_out(found)
    table(
        ("type", "GPU", "GiB", "vCPU", "$/h", "as of", "confidence", "free", "free spot"),
        (_row(offer) for offer in found.offers),
        empty=f"No instance type is offered in {found.region}.",
    )
    line(f"Region {found.region}. On-demand list prices. Free: quota left of its limit.")
    line(f"Cheapest GPU that you can have now: {found.cheapest_gpu or 'none'}.")
    if found.sandbox:
        line(lines.SANDBOX)


def plan(
    text: Annotated[str, typer.Argument(help="What you would train, in plain words.")],
    as_json: Json = False,
) -> None:
    """What a request would cost, stage by stage. Nothing is started."""
    made = workbench.connect().plan(text)
    if as_json:
        return json_out(made)
    for shown in lines.of_plan(made):
        line(shown)
    line(f"To start it: llmops approve {made.plan_id}")


def _row(offer: OfferRow) -> tuple[object, ...]:
    gpu = f"{offer.gpu_count} × {offer.gpu}" if offer.gpu else "–"
    return (
        offer.instance_type,
        gpu,
        offer.gpu_memory_gib_each,
        offer.vcpu,
        offer.usd_per_hour or "no price",
        offer.price_as_of,
        offer.confidence,
        _free(offer.available, offer.limit),
        _free(offer.spot_available, offer.spot_limit),
    )


def _free(available: int | None, limit: int | None) -> str:
    return "unknown" if available is None else f"{available} of {limit}"
