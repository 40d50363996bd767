"""Tool: computes and stores the cheapest plan that fits what the person said."""

from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets, require_valid
from mlops.aws.jobs import Jobs
from mlops.aws.market import market_of
from mlops.aws.plans import Plans
from mlops.aws.serve import now, tool
from mlops.aws.snapshots import Snapshots
from mlops.constraints import Constraints, starting
from mlops.datasets import Dataset
from mlops.errors import Alternative, RequestError
from mlops.grid import TrainingData
from mlops.instances import find
from mlops.past import history, waits
from mlops.plan import Asker
from mlops.snapshot import pack, take
from mlops.tools import PlanInput, PlanOutput


def plan(aws: Aws, wanted: PlanInput) -> PlanOutput:
    asker = Asker(session_id=wanted.session_id, turn=wanted.turn, person=wanted.person, now=now())
    dataset = _training_data(Datasets(aws).find(wanted.dataset, asker.now))
    past = Jobs(aws).of_person(asker.person)
    market = market_of(aws, asker, waits(past))
    seen = take(_constraints(wanted, asker.now), dataset, market, asker, history(past))
    made = seen.plan()
    packed = pack(seen)
    Snapshots(aws).save(made.plan_id, packed)
    Plans(aws).save(made)
    return PlanOutput(plan=made, inputs_sha256=packed.sha256)


def _constraints(wanted: PlanInput, now: datetime) -> Constraints:
    """What the person said wins; an instance from the conversation fills only a gap."""
    said = starting(wanted.constraints, now)
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


lambda_handler = tool("plan_training", plan)
