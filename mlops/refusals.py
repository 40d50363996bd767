"""Why no plan fits, and three priced counter-offers: each, when taken, makes a plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from mlops.candidates import Candidate
from mlops.constraints import Comparator, Constraints
from mlops.errors import Alternative, AlternativeKind, RefusedError
from mlops.grid import Grid, Point, usual_epochs
from mlops.models import LADDER
from mlops.money import MICRO_PER_CENT, parse_usd, show_usd, to_usd
from mlops.offers import Market
from mlops.stages import seconds_allowed, seconds_needed

COUNTER_OFFERS = 3
Changes = dict[str, str | int | float | bool]
# Taken first when a way out changes several clauses.
_KINDS: tuple[tuple[str, AlternativeKind], ...] = (
    ("model", "model"),
    ("instance_type", "instance"),
    ("spot", "spot"),
    ("epochs", "fewer_epochs"),
    ("max_minutes", "time"),
)
# One of each is offered before a second of any.
_SORTS, _OTHER = ("raise_budget", "time"), "other"


@dataclass(frozen=True, slots=True)
class Way:
    """A point that does not fit what was said, and the clauses with which it would."""

    point: Point
    changes: Changes
    need_micro: int
    month_micro: int

    @property
    def kind(self) -> AlternativeKind:
        for clause, kind in _KINDS:
            if clause in self.changes:
                return kind
        return "raise_budget"

    @property
    def order(self) -> tuple[int, int, int]:
        """Few changes first, then little money, then little time."""
        count = len(self.changes) + (self.month_micro > 0)
        return count, self.need_micro, self.point.estimate.p90_seconds


def nothing_fits(
    runnable: Sequence[Candidate],
    whole: Grid,
    constraints: Constraints,
    market: Market,
    left_micro: int,
) -> RefusedError:
    """The refusal for candidates of which none may start, with `left_micro` to spend on stages.

    `whole` is the grid as if no model, type, spot or epochs had been said.
    """
    ways = [way(p, constraints, market) for p in whole.points if p.runnable]
    offers = tuple(alternative(w, market) for w in best_ways(ways))
    points = [point for candidate in runnable for point in candidate.points]
    if not points:
        why = " ".join(c.reason for c in runnable)
        quota = Alternative(kind="quota", message="Ask AWS for a higher quota")
        more = (*offers, quota) if len(offers) < COUNTER_OFFERS else offers
        return RefusedError("no_instance", f"No stage can run here. {why}", more)
    code, message = _reason(points, constraints, market)
    return RefusedError(code, message, offers)


def _reason(points: Sequence[Point], constraints: Constraints, market: Market) -> tuple[str, str]:
    """Time, when nothing is quick enough; else money."""
    allowed = seconds_allowed(constraints)
    timely = [p for p in points if allowed is None or seconds_needed(p, market) <= allowed]
    if not timely:
        quickest = min(points, key=lambda p: seconds_needed(p, market))
        minutes = ceil(seconds_needed(quickest, market) / 60)
        title = quickest.model.title
        said = f"{title} can need {minutes} minutes from approval to report."
        return "time_too_short", said
    need = min(p.least_micro for p in timely) + market.tokens_micro
    stated = parse_usd(constraints.budget_usd) if constraints.budget_usd else None
    if stated is None or stated > market.month_left_micro:
        head = f"Of your monthly limit {show_usd(market.month_left_micro)} are left"
    else:
        head = f"A budget of {show_usd(stated)} is too small"
    worth = "the cheapest stage that is worth starting can cost"
    return "budget_too_small", f"{head}; {worth} {show_usd(need)}."


def way(point: Point, constraints: Constraints, market: Market) -> Way:
    """The smallest change of clauses with which this point would be a stage."""
    changes: Changes = {}
    on_ladder = constraints.model is None and point.model in LADDER
    if not on_ladder and constraints.model != point.model.name:
        changes["model"] = point.model.name
    if constraints.instance_type not in (None, point.instance_type):
        changes["instance_type"] = point.instance_type
    if point.spot != bool(constraints.spot):
        changes["spot"] = point.spot
    if point.work.epochs != (constraints.epochs or usual_epochs(point.model)):
        changes["epochs"] = point.work.epochs
    allowed, seconds = seconds_allowed(constraints), seconds_needed(point, market)
    if allowed is not None and seconds > allowed:
        changes["max_minutes"] = ceil(seconds / 60)
    strictly = constraints.budget_comparator is Comparator.LT
    need = _up_to_cents(point.least_micro + market.tokens_micro + strictly)
    if constraints.budget_usd is not None and parse_usd(constraints.budget_usd) < need:
        changes["budget_usd"] = to_usd(need)
    month = _up_to_cents(max(0, need - market.month_left_micro))
    return Way(point, changes, need, month)


def best_ways(ways: Sequence[Way]) -> list[Way]:
    """The least raise of the budget, the least extra time, the best other way; then what is next."""
    ordered = sorted(ways, key=lambda way: way.order)
    firsts: dict[str, Way] = {}
    for way in ordered:
        firsts.setdefault(way.kind if way.kind in _SORTS else _OTHER, way)
    picked = [firsts[sort] for sort in (*_SORTS, _OTHER) if sort in firsts]
    for way in ordered:
        known = {(w.point.model.name, *sorted(w.changes)) for w in picked}
        if (way.point.model.name, *sorted(way.changes)) not in known:
            picked.append(way)
    picked += [way for way in ordered if way not in picked]
    return picked[:COUNTER_OFFERS]


def alternative(way: Way, market: Market) -> Alternative:
    changes: Changes = dict(way.changes)
    if way.month_micro:
        changes["raise_monthly_limit_usd"] = to_usd(way.month_micro)
    return Alternative(
        kind=way.kind,
        message=_in_words(way),
        cost_usd=to_usd(way.need_micro),
        minutes=ceil(seconds_needed(way.point, market) / 60),
        changes=changes,
    )


def _in_words(way: Way) -> str:
    point, changes = way.point, way.changes
    asked: list[str] = []
    if "model" in changes:
        asked.append(f"use {point.model.name}")
    if "instance_type" in changes:
        asked.append(f"use {point.instance_type}")
    if "spot" in changes:
        asked.append("use spot instances" if point.spot else "use on-demand instances")
    if "epochs" in changes:
        asked.append(f"train {point.work.epochs} epochs")
    if "max_minutes" in changes:
        asked.append(f"allow {changes['max_minutes']} minutes")
    if "budget_usd" in changes:
        asked.append(f"raise the budget to {show_usd(way.need_micro)}")
    if way.month_micro:
        asked.append(f"raise the monthly limit by {show_usd(way.month_micro)}")
    words = ", ".join(asked)
    return f"{words[:1].upper()}{words[1:]}: {point.model.title} on {point.instance_type}"


def _up_to_cents(micro: int) -> int:
    return -(-micro // MICRO_PER_CENT) * MICRO_PER_CENT
