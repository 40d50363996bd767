"""What launch, follow and repair tests share: approved plans, and books that must add up."""

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.ledger import Ledger
from mlops.aws.plans import Plans
from mlops.aws.reservations import scopes
from mlops.events import Event, EventKind, verify
from mlops.job import job_name
from mlops.ledger import Totals, disagreements
from mlops.plan import Plan
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock


def approved(aws: Aws, clock: Clock, plan: Plan | None = None) -> Plan:
    """A stored plan with a person's yes."""
    plan = plan or a_plan()
    Plans(aws).save(plan)
    Plans(aws).approve(plan, "ada", clock())
    return plan


def name_of(plan: Plan, stage: int = 1) -> str:
    return job_name(plan.plan_id, plan.dataset.name, stage, 1)


def books(aws: Aws, plan: Plan) -> tuple[Totals, Totals]:
    """Totals of the plan and of the month; their entries add up, and no limit is broken."""
    approval = Plans(aws).approval(plan.plan_id)
    assert approval is not None
    ledger = Ledger(aws)
    found = []
    for scope in scopes(plan, approval):
        totals = ledger.totals(scope) or Totals(scope=scope, limit_micro=0)
        assert disagreements(totals, ledger.entries(scope)) == []
        found.append(totals)
    return found[0], found[1]


def reserved(aws: Aws, plan: Plan) -> int:
    own, month = books(aws, plan)
    assert own.reserved_micro == month.reserved_micro
    return own.reserved_micro


def logged(aws: Aws, clock: Clock, kind: EventKind, session: str = "s1") -> list[Event]:
    events = EventLog(aws, clock).tail(session)
    assert verify(events) is None
    return [event for event in events if event.kind is kind]
