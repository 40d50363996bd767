"""A launch that AWS refused for quota or capacity: the refusal with every priced way out, as of now."""

from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.market import market_of
from mlops.crowded import refusal
from mlops.errors import OpsError, RefusedError
from mlops.grid import Sources
from mlops.past import history, waits
from mlops.plan import Asker, Plan

# AWS has no room now; anything else that it refuses will not change by waiting.
FULL = ("quota", "no_capacity")


def with_ways_out(aws: Aws, plan: Plan, error: RefusedError, now: datetime) -> RefusedError:
    """The same refusal where something else was refused, or the market cannot be read."""
    if error.code not in FULL:
        return error
    try:
        past = Jobs(aws).of_person(plan.person)
        asker = Asker(session_id=plan.session_id, turn=plan.turn, person=plan.person, now=now)
        market = market_of(aws, asker, waits(past))
    except OpsError:
        return error
    sources = Sources(dataset=plan.dataset, market=market, now=now, history=history(past))
    stage = plan.stages[0]
    offer = next((o for o in market.offers if o.instance.name == stage.instance_type), None)
    can_wait = offer is None or offer.quota_of(stage.spot).limit != 0
    ways = refusal(
        plan.constraints, stage, plan.ceiling_usd, sources, can_wait, error.message
    ).alternatives
    return RefusedError(error.code, error.message, ways)
