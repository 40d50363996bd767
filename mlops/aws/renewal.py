"""A plan's price looked at once more before money is taken for it, and the way to a plan that holds
today: the same request again."""

from datetime import datetime, timedelta

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.prices import shared_prices
from mlops.budget import ceiling
from mlops.dialogue.phrasing import sentence
from mlops.errors import Alternative, RefusedError
from mlops.money import show_usd, to_usd
from mlops.plan import Plan, Stage
from mlops.prices import require_spendable


def require_price(aws: Aws, plan: Plan, stage: Stage, name: str, now: datetime) -> None:
    """RefusedError when a stage would cost more than its plan says, or nobody knows what it costs.

    A job that was created already is recorded at any price: it runs.
    """
    try:
        _require(aws, plan, stage, now)
    except RefusedError:
        if Jobs(aws).observe(name) is None:
            raise


def ask_again(plan: Plan, cost_usd: str | None) -> Alternative:
    """The plan's own request, to start when it is asked."""
    said = plan.constraints.model_copy(update={"start_at": None})
    return Alternative(
        kind="retry", message=f"Ask for a new plan: {sentence(said)}", cost_usd=cost_usd
    )


def _require(aws: Aws, plan: Plan, stage: Stage, now: datetime) -> None:
    days, name = aws.settings.price_max_age_days, stage.instance_type
    try:
        price = require_spendable(
            shared_prices(aws, aws.settings.region).all(now).get(name), name, now, days
        )
    except RefusedError as error:
        ways = (ask_again(plan, None), *error.alternatives)
        raise RefusedError(error.code, error.message, ways) from error
    # A plan without a word on the volume is billed without it, too.
    volume_micro = price.volume_micro if stage.storage_source else 0
    hour_micro = price.usd_per_hour_micro + volume_micro
    more = ceiling(stage.max_runtime_seconds, hour_micro) - stage.ceiling_micro
    again = ask_again(plan, to_usd(plan.ceiling_micro + more))
    if now - plan.created_at > timedelta(days=days):
        message = f"This plan is older than {days} days: its prices do not count any more."
        raise RefusedError("plan_expired", message, (again,))
    if hour_micro > stage.running_micro:
        counted = show_usd(stage.running_micro)
        message = (
            f"An hour of {name} costs {show_usd(hour_micro)} now; the plan counts on {counted}."
        )
        raise RefusedError("price_changed", message, (again,))
