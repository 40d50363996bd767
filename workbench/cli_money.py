"""`llmops costs` and `llmops budget`: the month, its bookings, its limit, and whether all agrees."""

from typing import Annotated

import typer

import workbench
from mlops.errors import Alternative, RequestError
from mlops.money import show_usd
from mlops.report import SANDBOX
from mlops.tools import CostsOutput
from workbench.tables import facts, json_out, line, table

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Team = Annotated[str | None, typer.Option(help="A team, instead of me alone.", metavar="NAME")]

DISAGREES = 1

budget = typer.Typer(help="The monthly limit; alone it shows it.", add_completion=False)


def costs(as_json: Json = False) -> None:
    """What was spent and reserved this month, booking by booking."""
    bench = workbench.connect()
    month = bench.costs()
    if as_json:
        return json_out(month)
    table(
        ("at (UTC)", "booking", "spent", "reserved", "for", "note"),
        (
            (
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                entry.kind,
                show_usd(entry.spent_micro),
                show_usd(entry.reserved_micro),
                entry.key,
                entry.note,
            )
            for entry in bench.ledger()
        ),
        empty="Nothing was booked this month.",
    )
    _show(month)


@budget.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        show(as_json=as_json)


@budget.command()
def show(team: Team = None, as_json: Json = False) -> None:
    """The limit of this month, and what is left of it."""
    month = workbench.connect().costs(team)
    if team is not None and month.team is None:
        how = f"llmops budget set AMOUNT --team {team}"
        ways = (Alternative(kind="raise_budget", message=f"Give it one: {how}"),)
        raise RequestError("no_limit", f"The team {team!r} has no monthly limit.", ways)
    return json_out(month) if as_json else _show(month)


@budget.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    usd: Annotated[str, typer.Argument(help="New limit in US dollars, such as 25.")],
    team: Team = None,
    as_json: Json = False,
) -> None:
    """Change the monthly limit, from this month on."""
    month = workbench.connect().set_monthly_limit(usd.removeprefix("$"), team)
    return json_out(month) if as_json else _show(month)


@budget.command()
def verify(as_json: Json = False) -> None:
    """Whether all totals are the sum of their bookings and within their limits."""
    wrong = workbench.connect().verify_ledger()
    if as_json:
        json_out({"agrees": not wrong, "disagreements": wrong})
    else:
        for text in wrong or ["The ledger agrees with its bookings, and no limit is broken."]:
            line(text)
    raise typer.Exit(DISAGREES if wrong else 0)


def _show(month: CostsOutput) -> None:
    facts(
        {
            "month": month.month,
            "limit": f"${month.limit_usd}",
            "spent": f"${month.spent_usd}",
            "of that for training volumes": f"${month.storage_usd}",
            "reserved": f"${month.reserved_usd}",
            "left": f"${month.left_usd}",
        }
    )
    if month.team is not None:
        facts(
            {
                "team": month.team.name,
                "limit": f"${month.team.limit_usd}",
                "spent": f"${month.team.spent_usd}",
                "reserved": f"${month.team.reserved_usd}",
                "left": f"${month.team.left_usd}",
            }
        )
    if month.sandbox:
        line(SANDBOX)
