"""Figures that a person can check by hand, in the ledger; and two who follow the same end at once."""

from concurrent.futures import ThreadPoolExecutor

from mlops.aws.books import verify
from mlops.aws.clients import Aws
from mlops.aws.follow import follow
from mlops.aws.jobs import Jobs
from mlops.aws.launch import launch
from mlops.aws.ledger import Ledger
from mlops.aws.plans import MOVE_LEASE, Plans
from mlops.events import EventKind
from mlops.ledger import EntryKind, plan_scope, team_scope
from mlops.money import parse_usd
from mlops.prices import ec2_prices, price_file
from mlops.volumes import volume_price, with_volume
from tests.factories import NOW, a_market, a_plan, an_offer
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker
from tests.mlops.aws.scenes import approved, books, logged, name_of

GOOD = {"eval_f1": 0.9, "test_f1": 0.9}


def test_42_minutes_on_a_t4_are_515480_micro_dollars(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock, a_plan(instance_type="ml.g4dn.xlarge", budget_usd="10.00"))
    job = launch(aws, plan, 1, clock()).job
    assert (job.instance_type, job.usd_per_hour) == ("ml.g4dn.xlarge", "0.7364")
    sagemaker.end(job.job_name, seconds=2520, metrics=GOOD)
    follow(aws, job.job_name, clock)
    bill = Ledger(aws).find(plan_scope(plan.plan_id), EntryKind.SETTLE, job.job_name)
    assert bill is not None and bill.spent_micro == 515_480
    assert books(aws, plan)[1].spent_micro == 515_480


def test_training_costs_more_than_ec2_and_both_are_known():
    assert price_file()["ml.g5.xlarge"].usd_per_hour == "1.408"
    assert ec2_prices()["ml.g5.xlarge"] == parse_usd("1.006")
    for name, ec2 in ec2_prices().items():
        price = price_file()[name].usd_per_hour_micro
        assert 1.14 < price / ec2 < 1.41, name


def test_two_who_follow_the_same_end_make_one_next_stage(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker)
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics={"eval_f1": 0.5})
    with ThreadPoolExecutor(4) as pool:
        others = [embedded.connect(sagemaker) for _ in range(4)]
        list(pool.map(lambda one: follow(one, name_of(plan), clock), others))
    assert sagemaker.creations == [name_of(plan, 1), name_of(plan, 2)]
    assert len(logged(aws, clock, EventKind.REPORT)) == 0


def test_a_move_that_somebody_holds_is_left_to_them_until_they_are_dead(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    sagemaker.end(name_of(plan), metrics=GOOD)
    assert Plans(aws).claim(plan.plan_id, "another", clock())
    follow(aws, name_of(plan), clock)
    assert logged(aws, clock, EventKind.REPORT) == []
    assert [job.job_name for job in Jobs(aws).open()] == [name_of(plan)]
    clock.advance(MOVE_LEASE.total_seconds() + 1)
    follow(aws, name_of(plan), clock)
    assert len(logged(aws, clock, EventKind.REPORT)) == 1


def test_a_launch_repeated_after_the_run_is_the_same_job(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    plan = approved(aws, clock)
    first = launch(aws, plan, 1, clock()).job
    sagemaker.end(first.job_name, metrics=GOOD)
    follow(aws, first.job_name, clock)
    again = launch(aws, plan, 1, clock())
    assert (again.job.job_name, again.again) == (first.job_name, True)
    assert len(sagemaker.creations) == 1


def test_a_teams_month_is_booked_and_checked_too(
    embedded: Embedded, clock: Clock, sagemaker: FakeSageMaker
):
    aws = embedded.connect(sagemaker, team="nlp", team_monthly_limit_usd="20")
    plan = approved(aws, clock)
    launch(aws, plan, 1, clock())
    totals = Ledger(aws).totals(team_scope("nlp", NOW))
    assert totals is not None and totals.reserved_micro == plan.ceiling_micro
    assert totals.limit_micro == parse_usd("20")
    assert verify(aws, clock()) == []


def test_a_volume_is_reserved_with_its_stage_and_settled_beside_it(
    aws: Aws, clock: Clock, sagemaker: FakeSageMaker
):
    """An hour of ml.m5.large at $0.115 and of 30 GiB at $0.14 a month of 28 days."""
    price = with_volume(price_file()["ml.m5.large"], volume_price("us-east-1", NOW, 180))
    market = a_market([an_offer("ml.m5.large", price=price)])
    plan = approved(aws, clock, a_plan(market, budget_usd="10.00"))
    job = launch(aws, plan, 1, clock()).job
    sagemaker.end(job.job_name, seconds=3600, metrics=GOOD)
    for _ in range(2):
        follow(aws, job.job_name, clock)
    for totals in books(aws, plan):
        entries = {e.kind: e.spent_micro for e in Ledger(aws).entries(totals.scope)}
        assert entries[EntryKind.SETTLE] == 115_000
        assert entries[EntryKind.STORAGE] == 6_250
        assert (totals.spent_micro, totals.reserved_micro) == (121_250, 0)
    [report] = logged(aws, clock, EventKind.REPORT)
    assert report.data["total_cost_usd"] == "0.12125"
    [stage] = report.data["stages"]
    assert (stage["cost_usd"], stage["storage_usd"]) == ("0.12125", "0.00625")
    assert report.data["verdicts"][0]["measured"] == "$0.1213"
