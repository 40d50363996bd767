"""Tool: computes and stores the cheapest plan that fits what the person said."""

from functools import cache

from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets, require_valid
from mlops.aws.jobs import Jobs
from mlops.aws.ledger import Ledger
from mlops.aws.offers import Offers
from mlops.aws.plans import Plans
from mlops.aws.prices import Prices
from mlops.aws.serve import now, tool
from mlops.aws.tokens import allowance, turn_spent
from mlops.constraints import Constraints
from mlops.datasets import Dataset
from mlops.errors import Alternative, RequestError
from mlops.grid import TrainingData
from mlops.instances import find
from mlops.ledger import person_scope, team_scope
from mlops.money import parse_usd
from mlops.offers import Market
from mlops.past import history, waits
from mlops.plan import Asker, build
from mlops.tools import PlanInput, PlanOutput
from mlops.waits import Wait


def plan(aws: Aws, wanted: PlanInput) -> PlanOutput:
    asker = Asker(session_id=wanted.session_id, turn=wanted.turn, person=wanted.person, now=now())
    dataset = _training_data(Datasets(aws).find(wanted.dataset, asker.now))
    past = Jobs(aws).of_person(asker.person)
    market = _market(aws, asker, waits(past))
    made = build(_constraints(wanted), dataset, market, asker, history(past))
    Plans(aws).save(made)
    return PlanOutput(plan=made)


def _constraints(wanted: PlanInput) -> Constraints:
    """What the person said wins; an instance from the conversation fills only a gap."""
    said = wanted.constraints
    named = said.instance_type or wanted.instance_type
    return said.model_copy(
        update={
            "dataset": wanted.dataset,
            "instance_type": find(named).name if named else None,
        }
    )


def _training_data(dataset: Dataset) -> TrainingData:
    require_valid(dataset)
    if dataset.prepared_uri is None:
        raise RequestError(
            "not_prepared",
            f"{dataset.name} is not prepared yet.",
            (Alternative(kind="prepare", message=f"Prepare {dataset.name} first"),),
        )
    return TrainingData(
        name=dataset.name,
        synthetic=dataset.synthetic,
        fingerprint=dataset.fingerprint,
        prepared_uri=dataset.prepared_uri,
        train_tokens=dataset.splits["train"].tokens,
        total_tokens=sum(split.tokens for split in dataset.splits.values()),
    )


def _market(aws: Aws, asker: Asker, waited: dict[str, Wait]) -> Market:
    settings = aws.settings
    month = Ledger(aws).totals(person_scope(asker.person, asker.now))
    left = month.left_micro if month else parse_usd(settings.monthly_limit_usd)
    if settings.limited_team is not None:
        team = Ledger(aws).totals(team_scope(settings.limited_team, asker.now))
        of_team = parse_usd(settings.team_monthly_limit_usd or "0")
        left = min(left, team.left_micro if team else of_team)
    used = turn_spent(aws, asker.person, asker.session_id, asker.turn, asker.now)
    return Market(
        region=settings.region,
        offers=Offers(aws, _prices(aws)).all(asker.now),
        engines=settings.engines,
        sandbox=settings.sandbox,
        overhead_seconds=settings.billed_overhead_seconds,
        startup_seconds=settings.startup_seconds,
        price_max_age_days=settings.price_max_age_days,
        month_left_micro=left,
        tokens_micro=used + allowance(aws),
        waits=waited,
        crf_pace=settings.crf_pace,
        early_stop=settings.early_stop,
    )


@cache
def _prices(aws: Aws) -> Prices:
    return Prices(aws)


lambda_handler = tool("plan_training", plan)
