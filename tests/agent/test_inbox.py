"""The inbox on real tables: a plan that was decided meanwhile waits no longer."""

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.events import EventKind
from tests.agent.fakes import make_plan
from tests.agent.world import clock
from workbench.notices import Inbox


def test_a_decided_plan_is_read(aws: Aws):
    person = aws.settings.person
    for name in ("plan-a", "plan-b"):
        plan = make_plan("s1", plan_id=f"{name}-{person}", person=person)
        Plans(aws).save(plan)
        data = {"plan_id": plan.plan_id, "status": "waiting", "ceiling_usd": "1.00"}
        EventLog(aws, clock).append(f"s-{person}", "t", EventKind.APPROVAL, data, person=person)
    inbox = Inbox(aws, clock)
    assert [stored.read_at for stored in inbox.latest()] == [None, None]
    Plans(aws).decline(plan, person, clock())
    assert [stored.read_at is None for stored in inbox.latest()] == [False, True]
    assert inbox.mark_all_read() == 1
