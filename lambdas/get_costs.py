"""Tool: the month of a person and of a team, spent and reserved against the limit."""

from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.serve import now, tool
from mlops.ledger import EntryKind
from mlops.money import to_usd
from mlops.tools import CostsInput, CostsOutput, TeamCosts


def costs(aws: Aws, wanted: CostsInput) -> CostsOutput:
    moment, limits = now(), Limits(aws)
    totals = limits.month_of_person(wanted.person, moment)
    booked = Ledger(aws).entries(totals.scope)
    storage = sum(entry.spent_micro for entry in booked if entry.kind is EntryKind.STORAGE)
    team = wanted.team or limits.team_of(wanted.person)
    return CostsOutput(
        month=f"{moment:%Y-%m}",
        limit_usd=to_usd(totals.limit_micro),
        spent_usd=to_usd(totals.spent_micro),
        storage_usd=to_usd(storage),
        reserved_usd=to_usd(totals.reserved_micro),
        left_usd=to_usd(totals.left_micro),
        sandbox=aws.settings.sandbox,
        team=_of_team(limits, team, moment) if team else None,
    )


def _of_team(limits: Limits, team: str, moment: datetime) -> TeamCosts | None:
    """None for a team without a limit: nothing is held against it."""
    if limits.of_team(team) is None:
        return None
    totals = limits.month_of_team(team, moment)
    return TeamCosts(
        name=team,
        limit_usd=to_usd(totals.limit_micro),
        spent_usd=to_usd(totals.spent_micro),
        reserved_usd=to_usd(totals.reserved_micro),
        left_usd=to_usd(totals.left_micro),
    )


lambda_handler = tool("get_costs", costs)
