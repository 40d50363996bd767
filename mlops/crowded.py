"""No quota is free for what was asked: wait, schedule, another type, spot or a higher quota, each priced."""

from math import ceil

from mlops.candidates import candidates, runnable, whole_grid
from mlops.constraints import Constraints
from mlops.errors import Alternative, RefusedError
from mlops.grid import Sources
from mlops.offers import Obstacle, Offer
from mlops.refusals import Way, alternative, best_ways, way
from mlops.stages import Stage, ceiling_of, share_out
from mlops.waits import in_words, key

WAIT_MINUTES = 120
LATER_MINUTES = 60
_TYPES = 2


def no_room(constraints: Constraints, sources: Sources, left_micro: int) -> RefusedError | None:
    """The refusal of a request that only lacks free quota; None when something else is in the way.

    What waiting would cost is computed as the very plan that it would give.
    """
    patient = constraints.model_copy(update={"queue": True})
    market = sources.market
    drawn = runnable(candidates(patient, sources), market)
    stages, _ = share_out(drawn, patient, market, left_micro)
    if stages:
        ceiling_usd = ceiling_of(stages, market)
        return refusal(constraints, stages[0], ceiling_usd, sources, can_wait=True)
    full = _without_quota(constraints, sources)
    if full is None:
        return None
    spot = bool(constraints.spot)
    name, ways = full.instance.name, _elsewhere(constraints, full.instance.name, sources)
    ways += _higher_quota(name, full, spot, None)
    return RefusedError("quota", _message(full, spot), ways)


def refusal(
    constraints: Constraints,
    stage: Stage,
    ceiling_usd: str,
    sources: Sources,
    can_wait: bool,
    message: str = "",
) -> RefusedError:
    """With every way out of a full quota, for a plan whose first stage is this one."""
    name, spot = stage.instance_type, stage.spot
    offer = next((o for o in sources.market.offers if o.instance.name == name), None)
    patience = _patience(stage, ceiling_usd, sources) if can_wait else ()
    ways = (
        *patience,
        *_elsewhere(constraints, name, sources),
        *_higher_quota(name, offer, spot, ceiling_usd),
    )
    said = message or (_message(offer, spot) if offer else f"No {name} is free.")
    return RefusedError("quota", said, ways)


def _without_quota(constraints: Constraints, sources: Sources) -> Offer | None:
    """The cheapest type that only a quota of zero keeps away from what was said."""
    grid = whole_grid(constraints, sources)
    engines, spot = sources.market.engines, bool(constraints.spot)
    names = {
        b.instance_type
        for b in grid.blocked
        if b.obstacle is Obstacle.QUOTA and b.spot == spot and b.model.engine in engines
    }
    if any(p.runnable and p.spot == spot for p in grid.points):
        return None
    offers = [o for o in sources.market.offers if o.instance.name in names]
    return min(offers, key=lambda o: o.sort_key, default=None)


def _message(offer: Offer, spot: bool) -> str:
    quota = offer.quota_of(spot)
    what = f"{'spot ' if spot else ''}{offer.instance.name}"
    if quota.is_account_full:
        return f"No {what} is free: the account-wide quota of training instances is used up."
    return f"No {what} is free: {quota.in_use} of {quota.limit} in use."


def _patience(stage: Stage, ceiling_usd: str, sources: Sources) -> tuple[Alternative, ...]:
    """To wait costs no more than the plan; how long it takes allows for the waits that were seen."""
    market = sources.market
    startup = market.startup_of(stage.instance_type, stage.spot)
    minutes = ceil((stage.estimate.p90_seconds + startup) / 60)
    seen = in_words(market.waits, stage.instance_type, stage.spot)
    hours = WAIT_MINUTES // 60
    return (
        Alternative(
            kind="wait",
            message=f"Queue it: starts when quota is free, wait up to {hours} hours "
            f"(waits that were seen: {seen})",
            cost_usd=ceiling_usd,
            minutes=minutes,
            changes={"queue": True, "max_wait_minutes": WAIT_MINUTES},
        ),
        Alternative(
            kind="schedule",
            message="Schedule it: starts in 1 hour, or as soon after it as quota is free",
            cost_usd=ceiling_usd,
            minutes=LATER_MINUTES + minutes,
            changes={"start_at": f"in {LATER_MINUTES} minutes"},
        ),
    )


def _elsewhere(constraints: Constraints, name: str, sources: Sources) -> tuple[Alternative, ...]:
    """Two other types and spot (or on demand), as far as they are free now and fit what was said."""
    said = constraints.model_copy(update={"instance_type": name})
    grid = whole_grid(said, sources, named=False)
    free = [p for p in grid.points if p.runnable and p.offer.available(p.spot) != 0]
    found = (way(p, said, sources.market) for p in free)
    ways = sorted((w for w in found if not w.month_micro), key=lambda w: w.order)
    types: dict[str, Way] = {}
    for one in ways:
        if set(one.changes) == {"instance_type"}:
            types.setdefault(one.point.instance_type, one)
    spots = [w for w in ways if set(w.changes) == {"spot"}][:1]
    chosen = [*list(types.values())[:_TYPES], *spots] or best_ways(ways)
    return tuple(alternative(w, sources.market) for w in chosen)


def _higher_quota(
    name: str, offer: Offer | None, spot: bool, ceiling_usd: str | None
) -> tuple[Alternative, ...]:
    """Of the type; nothing where that would not help."""
    if offer and offer.quota_of(spot).is_account_full:
        return ()
    flag = " --spot" if spot else ""
    asked = Alternative(
        kind="quota",
        message=f"Ask AWS for a higher quota: llmops gpus request {name}{flag} --approve",
        cost_usd=ceiling_usd,
        quota=key(name, spot),
    )
    return (asked,)
