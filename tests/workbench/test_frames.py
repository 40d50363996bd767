"""Frames: one row each, the same columns when empty, unknown stays unknown."""

from datetime import timedelta

import pandas as pd
import pytest

from mlops.aws.metrics import LogLine
from mlops.datasets import Metadata, prepare
from mlops.ledger import Entry, EntryKind
from mlops.metrics import MetricPoint
from mlops.report import build
from mlops.tools import OfferRow, QuotasOutput
from tests.factories import NOW, a_job, a_plan
from tests.workbench.scripted import finished
from workbench import frames

PLAN = a_plan()
REPORT = build(PLAN, [finished(PLAN)], NOW, 0, NOW)
TRAIN = b"".join(b"Fieber%d\tB-SYMPTOM\n\n" % i for i in range(60))
DATASET = prepare("mine", {"train.tsv": TRAIN}, Metadata(synthetic=True)).to_dataset(
    "s3://b/raw/mine/", "s3://b/prepared/mine/", NOW
)
OFFER = OfferRow(
    instance_type="ml.p5.48xlarge",
    gpu="H100",
    gpu_count=8,
    gpu_memory_gib_each=80,
    vcpu=None,
    memory_gib=None,
    usd_per_hour=None,
    price_as_of=None,
    price_source=None,
    confidence="none",
    spendable=False,
    limit=None,
    in_use=None,
    available=None,
    spot_limit=0,
    spot_in_use=0,
    spot_available=0,
)
MARKET = QuotasOutput(
    region="us-east-1", offers=(OFFER,), cheapest_gpu=None, cheapest=None, sandbox=True
)
ENTRY = Entry(
    scope="s", kind=EntryKind.SETTLE, key="job", at=NOW, spent_micro=512, reserved_micro=-20_000
)


@pytest.mark.parametrize(
    ("full", "empty"),
    [
        (frames.datasets_frame([DATASET]), frames.datasets_frame([])),
        (
            frames.gpus_frame(MARKET),
            frames.gpus_frame(MARKET.model_copy(update={"offers": ()})),
        ),
        (frames.jobs_frame([a_job(PLAN)]), frames.jobs_frame([])),
        (frames.ledger_frame([ENTRY]), frames.ledger_frame([])),
        (
            frames.stages_frame(PLAN),
            frames.stages_frame(PLAN.model_copy(update={"stages": ()})),
        ),
        (
            frames.verdicts_frame(REPORT),
            frames.verdicts_frame(REPORT.model_copy(update={"verdicts": ()})),
        ),
        (frames.logs_frame([LogLine(at=NOW, text="x")]), frames.logs_frame([])),
    ],
)
def test_an_empty_frame_has_the_columns_of_a_full_one(full: pd.DataFrame, empty: pd.DataFrame):
    assert len(full) >= 1
    assert len(empty) == 0
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()


def test_data_that_is_not_marked_is_not_called_real():
    unmarked = DATASET.model_copy(update={"synthetic": False})
    assert frames.datasets_frame([unmarked])["Data"].tolist() == ["not stated"]


def test_datasets_show_sizes_and_that_they_are_synthetic():
    row = frames.datasets_frame([DATASET]).iloc[0]
    assert (row["Data"], row["Status"], row["Entity types"]) == (
        "synthetic",
        "prepared",
        "SYMPTOM",
    )
    assert row["Train"] + row["Validation"] + row["Test"] == 60


def test_unknown_quota_and_price_are_not_zero():
    row = frames.gpus_frame(MARKET).iloc[0]
    assert (row["Free"], row["Free spot"], row["USD per hour"]) == (
        "unknown",
        "0 of 0",
        "no price",
    )
    assert pd.isna(row["vCPU"])


def test_a_running_job_has_no_cost_yet_and_a_finished_one_has():
    table = frames.jobs_frame([a_job(PLAN), finished(PLAN)])
    assert pd.isna(table["Cost USD"].iloc[0])
    assert table["Cost USD"].iloc[1] == 0.000512
    assert table["Test F1"].iloc[1] == 0.91


def test_bookings_keep_their_signs():
    row = frames.ledger_frame([ENTRY]).iloc[0]
    assert (row["Spent USD"], row["Reserved USD"]) == (0.000512, -0.02)


def test_curves_are_long():
    points = [
        MetricPoint(name="train_loss", value=i, at=NOW + timedelta(seconds=i)) for i in range(3)
    ]
    table = frames.curves_frame({"train_loss": points, "eval_f1": []})
    assert list(table["Value"]) == [0, 1, 2]
    assert set(table["Metric"]) == {"train_loss"}


def test_verdicts_are_words():
    assert set(frames.verdicts_frame(REPORT)["Verdict"]) == {"PASS"}
