"""The checker of the ledger: every scope that a person's latest jobs, open plans and months lead to."""

from datetime import datetime, timedelta

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.plans import Plans
from mlops.ledger import disagreements, person_scope, plan_scope, team_scope, unattributed_scope


def verify(aws: Aws, now: datetime) -> list[str]:
    """What is wrong with this and the last month of the person and the team, or with a plan's
    money; empty when all agrees. Scopes are reached by key, never by a scan."""
    ledger = Ledger(aws)
    wrong: list[str] = []
    for scope in _scopes(aws, now):
        found = ledger.admitting(scope)
        if found is not None:
            totals, admits_micro = found
            wrong += disagreements(totals, ledger.entries(scope), admits_micro)
    return wrong


def _scopes(aws: Aws, now: datetime) -> list[str]:
    person, team = aws.settings.person, Limits(aws).team_of(aws.settings.person)
    months = (now, now.replace(day=1) - timedelta(days=1))
    plans = [job.plan_id for job in Jobs(aws).of_person(person)]
    plans += [approval.plan_id for approval in Plans(aws).open_approvals()]
    return [
        *(person_scope(person, month) for month in months),
        *(team_scope(team, month) for month in months if team),
        *map(unattributed_scope, months),
        *map(plan_scope, dict.fromkeys(plans)),
    ]
