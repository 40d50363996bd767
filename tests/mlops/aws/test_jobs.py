"""Job records: the first one wins, changes are guarded, and SageMaker's word is stored."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from mlops.aws.clients import Aws
from mlops.aws.jobs import Jobs
from mlops.aws.tables import JOBS
from mlops.errors import OpsError, RequestError
from mlops.job import Job, JobState
from tests.factories import NOW, a_job, a_plan
from tests.mlops.aws.embedded import Clock, FakeSageMaker, client_error


@pytest.fixture
def jobs(aws: Aws) -> Jobs:
    return Jobs(aws)


def running(sagemaker: FakeSageMaker, job: Job) -> None:
    config = {"InstanceType": job.instance_type, "InstanceCount": 1}
    sagemaker.create_training_job(TrainingJobName=job.job_name, ResourceConfig=config)


def test_a_record_is_read_as_it_was_added(jobs: Jobs):
    job = a_job()
    assert jobs.find(job.job_name) is None
    assert jobs.add(job) == job
    assert jobs.get(job.job_name) == job
    assert jobs.open() == [job]


def test_the_record_that_is_there_wins(jobs: Jobs):
    first = jobs.add(a_job())
    assert jobs.add(a_job(created_at=NOW + timedelta(hours=1))) == first


def test_an_unknown_job_is_the_persons_to_mend(jobs: Jobs):
    with pytest.raises(RequestError) as caught:
        jobs.get("nobody")
    assert caught.value.code == "unknown_job"


def test_a_change_over_another_change_is_not_written(jobs: Jobs):
    job = jobs.add(a_job())
    ours = job.model_copy(update={"state": JobState.TRAINING})
    theirs = job.model_copy(update={"state": JobState.FAILED})
    assert jobs.save(job, theirs)
    assert not jobs.save(job, ours)
    assert jobs.get(job.job_name) == theirs
    assert jobs.save(theirs, theirs)


def test_a_record_of_an_earlier_version_can_be_changed(
    jobs: Jobs, aws: Aws, sagemaker: FakeSageMaker
):
    """It has fewer fields than ours, and was running when the new version came."""
    job = jobs.add(a_job())
    body = job.model_dump_json().replace(',"storage_usd":null', "")
    assert body != job.model_dump_json()
    aws.dynamodb.update_item(
        TableName=JOBS,
        Key={"job_name": job.job_name},
        UpdateExpression="SET body = :b",
        ExpressionAttributeValues={":b": body},
    )
    running(sagemaker, job)
    sagemaker.end(job.job_name)
    assert jobs.refresh(jobs.get(job.job_name)).state is JobState.COMPLETED
    assert jobs.get(job.job_name).state is JobState.COMPLETED


def test_a_closed_job_is_forgotten_by_the_watchdog_only(jobs: Jobs):
    job = jobs.add(a_job())
    jobs.close(job.job_name)
    assert jobs.open() == []
    assert jobs.find(job.job_name) == job


def test_lists(jobs: Jobs):
    plan = a_plan()
    for stage, attempt, minute in ((2, 1, 2), (1, 2, 1), (1, 1, 0)):
        jobs.add(a_job(plan, stage, attempt, created_at=NOW + timedelta(minutes=minute)))
    jobs.add(a_job(a_plan(dataset="other"), person="grace"))
    assert [(j.stage, j.attempt) for j in jobs.of_plan(plan.plan_id)] == [(1, 1), (1, 2), (2, 1)]
    assert [j.created_at.minute for j in jobs.of_person("ada")] == [2, 1, 0]
    assert len(jobs.of_person("ada", limit=2)) == 2
    assert [j.person for j in jobs.of_person("grace")] == ["grace"]
    assert len(jobs.open()) == 4


def test_every_open_job_is_found_beyond_a_page(jobs: Jobs):
    plan = a_plan()
    for attempt in range(1, 131):
        reason = "x" * 10_000
        jobs.add(a_job(plan, attempt=attempt, failure_reason=reason))
    assert len(jobs.open()) == 130
    assert len(jobs.of_plan(plan.plan_id)) == 130
    assert len(jobs.of_person("ada", limit=110)) == 110


def test_a_refresh_stores_what_sagemaker_says(jobs: Jobs, sagemaker: FakeSageMaker, clock: Clock):
    job = jobs.add(a_job())
    assert jobs.refresh(job) == job
    running(sagemaker, job)
    sagemaker.train(job.job_name)
    training = jobs.refresh(job)
    assert (training.state, training.started_at) == (JobState.TRAINING, clock())
    sagemaker.end(job.job_name, seconds=77, metrics={"eval_f1": 0.9})
    ended = jobs.refresh(training)
    assert (ended.state, ended.billed_seconds) == (JobState.COMPLETED, 77)
    assert ended.metrics == {"eval_f1": 0.9}
    assert ended.model_uri == f"s3://models/{job.job_name}/model.tar.gz"
    assert jobs.get(job.job_name) == ended
    assert jobs.refresh(job) == ended


@pytest.mark.parametrize("missing", ["TrainingEndTime", "TrainingStartTime"])
def test_a_job_that_ran_is_never_free(
    jobs: Jobs, sagemaker: FakeSageMaker, clock: Clock, missing: str
):
    """Whatever AWS leaves out: it ended at its last change, and began when it was seen to train."""
    job = jobs.add(a_job())
    running(sagemaker, job)
    sagemaker.train(job.job_name)
    training = jobs.refresh(job)
    clock.advance(100)
    sagemaker.end(job.job_name, 100)
    answer = sagemaker.jobs[job.job_name]
    answer |= {"LastModifiedTime": clock()}
    del answer["BillableTimeInSeconds"], answer[missing]
    ended = jobs.refresh(training)
    assert (ended.billed_seconds, ended.ended_at) == (100, clock())


def test_only_a_missing_job_is_missing(
    jobs: Jobs, sagemaker: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
):
    assert jobs.observe("nobody") is None

    for code, words in (
        ("ThrottlingException", "Rate exceeded"),
        ("AccessDeniedException", "The role was not found."),
        ("404", "Not Found"),
    ):
        error = client_error(code, words)

        def describe(error: ClientError = error, **_: str) -> None:
            raise error

        monkeypatch.setattr(sagemaker, "describe_training_job", describe)
        with pytest.raises(OpsError):
            jobs.observe("nobody")


def test_a_stop_is_asked_for_and_repeating_it_harms_nothing(jobs: Jobs, sagemaker: FakeSageMaker):
    job = jobs.add(a_job())
    running(sagemaker, job)
    assert jobs.stop(job).state is JobState.STOPPING
    assert jobs.stop(job).state is JobState.STOPPING
    sagemaker.end(job.job_name, status="Stopped")
    stopped = jobs.stop(job)
    assert stopped.state is JobState.STOPPED
    assert jobs.stop(stopped) == stopped
