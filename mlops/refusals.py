"""Why no plan fits, and what would: each way out priced, so that a person can choose."""

from collections.abc import Sequence
from math import ceil, inf

from mlops.candidates import Candidate
from mlops.constraints import Comparator, Constraints
from mlops.errors import Alternative, RefusedError
from mlops.money import MICRO_PER_CENT, parse_usd, show_usd, to_usd
from mlops.offers import Market


def nothing_fits(
    runnable: Sequence[Candidate], constraints: Constraints, market: Market, left_micro: int
) -> RefusedError:
    """The refusal for candidates of which none may start, with `left_micro` to spend on stages."""
    placed = sorted((c for c in runnable if c.estimate), key=lambda c: c.least_micro)
    if not placed:
        why = " ".join(c.reason for c in runnable)
        return RefusedError(
            "no_instance",
            f"No stage can run here. {why}",
            (Alternative(kind="quota", message="Ask AWS for a higher quota"),),
        )
    minutes = inf if constraints.max_minutes is None else constraints.max_minutes
    timely = [c for c in placed if _seconds(c, market) <= minutes * 60]
    if not timely:
        return _too_little_time(placed, constraints, market, left_micro)
    return _too_little_money(timely, constraints, market)


def _seconds(candidate: Candidate, market: Market) -> int:
    """From approval to report."""
    return candidate.p90_seconds + market.startup_seconds


def _too_little_money(
    timely: Sequence[Candidate], constraints: Constraints, market: Market
) -> RefusedError:
    need = timely[0].least_micro + market.tokens_micro
    stated = parse_usd(constraints.budget_usd) if constraints.budget_usd else None
    if stated is None or stated > market.month_left_micro:
        head = f"Of your monthly limit {show_usd(market.month_left_micro)} are left"
    else:
        head = f"A budget of {show_usd(stated)} is too small"
    return RefusedError(
        "budget_too_small",
        f"{head}; the cheapest stage that is worth starting can cost {show_usd(need)}.",
        tuple(_raise_for(candidate, constraints, market) for candidate in timely),
    )


def _raise_for(candidate: Candidate, constraints: Constraints, market: Market) -> Alternative:
    amount = _amount(candidate, constraints, market)
    raises: list[str] = []
    if constraints.budget_usd is not None and parse_usd(constraints.budget_usd) < amount:
        raises.append(f"the budget to {show_usd(amount)}")
    if market.month_left_micro < amount:
        more = _up_to_cents(amount - market.month_left_micro)
        raises.append(f"the monthly limit by {show_usd(more)}")
    where = candidate.offer.instance.name if candidate.offer else "?"
    return Alternative(
        kind="raise_budget",
        message=f"Raise {' and '.join(raises)}: {candidate.model.title} on {where}",
        cost_usd=to_usd(amount),
    )


def _too_little_time(
    placed: Sequence[Candidate], constraints: Constraints, market: Market, left_micro: int
) -> RefusedError:
    quickest = min(placed, key=lambda c: c.p90_seconds)
    return RefusedError(
        "time_too_short",
        f"{quickest.model.title} can need {_minutes(quickest, market)} minutes "
        "from approval to report.",
        tuple(_allow_for(candidate, constraints, market, left_micro) for candidate in placed),
    )


def _allow_for(
    candidate: Candidate, constraints: Constraints, market: Market, left_micro: int
) -> Alternative:
    amount = _amount(candidate, constraints, market)
    also = "" if candidate.least_micro <= left_micro else f" and {show_usd(amount)}"
    minutes = _minutes(candidate, market)
    return Alternative(
        kind="time",
        message=f"Allow {minutes} minutes{also}: {candidate.model.title}",
        cost_usd=to_usd(amount),
    )


def _minutes(candidate: Candidate, market: Market) -> int:
    return ceil(_seconds(candidate, market) / 60)


def _amount(candidate: Candidate, constraints: Constraints, market: Market) -> int:
    """A budget in whole cents with which the candidate may start; "less than" needs a bit more."""
    strictly = constraints.budget_comparator is Comparator.LT
    return _up_to_cents(candidate.least_micro + market.tokens_micro + strictly)


def _up_to_cents(micro: int) -> int:
    return -(-micro // MICRO_PER_CENT) * MICRO_PER_CENT
