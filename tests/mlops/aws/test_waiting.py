"""Plans in the queue are those of the person whom they were made for, whoever approved them."""

from datetime import timedelta

import pytest

from mlops.approvals import Queue
from mlops.aws.clients import Aws
from mlops.aws.plans import Plans
from mlops.aws.waiting import waiting
from tests.factories import a_plan
from tests.mlops.aws.embedded import Clock


@pytest.mark.parametrize("by", ["ada", "standing rule"])
def test_a_person_sees_their_plans_that_wait(aws: Aws, clock: Clock, by: str):
    plan = a_plan()
    Plans(aws).save(plan)
    Plans(aws).approve(plan, by, clock(), Queue(until=clock() + timedelta(hours=1)))
    assert [row.plan_id for row in waiting(aws, "ada")] == [plan.plan_id]
    assert waiting(aws, "bob") == ()
