"""`llmops gpus` and `llmops plan`: what could be had, and what a request would cost."""

from collections.abc import Iterator
from typing import Annotated

import typer

import workbench
from mlops.report import SANDBOX
from mlops.tools import OfferRow, QuotasOutput
from workbench import lines
from workbench.tables import json_out, line, table
from workbench.wording import quota_cell, region_cell, wait_cell

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


gpus = typer.Typer(help="Instance types, cheap first: GPU, price and quota.", add_completion=False)


@gpus.callback(invoke_without_command=True)
def show(
    ctx: typer.Context,
    region: Annotated[str | None, typer.Option(help="Prices of another region.")] = None,
    regions: Annotated[
        str | None, typer.Option(help="Compare these, such as us-east-1,eu-central-1.")
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the Price List API now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Instance types, cheap first: GPU, price, quota and what of it is free."""
    if ctx.invoked_subcommand is not None:
        return
    compared = [name.strip() for name in (regions or "").split(",") if name.strip()]
    found = workbench.connect().gpus(region, refresh, compared)
    if as_json:
        return json_out(found)
    if compared:
        return _compare(found, compared)
    table(
        ("type", "GPU", "GiB", "vCPU", "$/h", "as of", "confidence", "free", "free spot", "waits"),
        (_row(offer) for offer in found.offers),
        empty=f"No instance type is offered in {found.region}.",
    )
    line(
        f"Region {found.region}. On-demand list prices. Free: quota left of its limit. Waits: median "
        "and p90 from launch to start of your own jobs."
    )
    for text in _gaps(found):
        line(text)
    line(f"Cheapest GPU that you can have now: {found.cheapest_gpu or 'none'}.")
    if found.sandbox:
        line(SANDBOX)


@gpus.command("request")
def request(
    instance_type: Annotated[str, typer.Argument(help="Such as ml.g5.xlarge.")],
    spot: Annotated[bool, typer.Option("--spot", help="The quota for spot training.")] = False,
    value: Annotated[
        int | None, typer.Option(min=1, help="Wanted limit; one more by default.")
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Send it to AWS; without it this is a draft.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask AWS for a higher quota."""
    made = workbench.connect().request_quota(instance_type, spot, value, approve)
    if as_json:
        return json_out(made)
    line(f"{made.quota}: {made.limit} now, {made.wanted} wanted. Status: {made.status}.")
    if made.request_id is None:
        line("This is a draft. Repeat it with --approve to send it to AWS.")


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
    for rejected in made.rejections:
        line(f"  Left out: {rejected.what} ({rejected.code}). {rejected.why}")
    line(f"To start it: llmops approve {made.plan_id}")


def _compare(found: QuotasOutput, regions: list[str]) -> None:
    """A row for each type, a column for each region: price, and how many are free."""
    cells = {(o.instance_type, o.region): region_cell(o) for o in found.regions}
    table(
        ("type", *regions),
        (
            (row.instance_type, *(cells[row.instance_type, region] for region in regions))
            for row in found.offers
        ),
        empty="No instance type is known.",
    )
    line("On-demand list price per hour, and how many are free; ★ costs least of these regions.")
    line(f"Data and jobs of this back end are in {found.region}: elsewhere nothing is started.")
    if found.sandbox:
        line(SANDBOX)


def _gaps(found: QuotasOutput) -> Iterator[str]:
    """Where training costs more than the EC2 instance that it is often taken for."""
    for row in found.offers:
        if row.usd_per_hour and row.ec2_usd_per_hour and row.available:
            yield (
                f"{row.instance_type} costs ${row.usd_per_hour} per hour for training; the EC2 price "
                f"of ${row.ec2_usd_per_hour} does not apply."
            )


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
        quota_cell(offer.available, offer.limit),
        quota_cell(offer.spot_available, offer.spot_limit),
        wait_cell(offer),
    )
