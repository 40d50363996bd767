"""Typed objects in, pandas frames out: one row each, titles for people, the same columns when empty.

Money is a float of US dollars here, for showing and sorting alone; nothing computes with it.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mlops.aws.metrics import LogLine
from mlops.datasets import Dataset
from mlops.job import Job
from mlops.ledger import Entry
from mlops.metrics import MetricPoint
from mlops.money import MICRO_PER_USD
from mlops.plan import Plan
from mlops.report import Report
from mlops.tools import QuotasOutput
from workbench.wording import data_cell, quota_cell, region_cell, split_sizes

_TEXT, _COUNT, _NUMBER, _TIME = "str", "Int64", "Float64", "datetime64[us, UTC]"


def datasets_frame(datasets: Iterable[Dataset]) -> pd.DataFrame:
    columns = {
        "Name": _TEXT,
        "Title": _TEXT,
        "Data": _TEXT,
        "Status": _TEXT,
        "Train": _COUNT,
        "Validation": _COUNT,
        "Test": _COUNT,
        "Entity types": _TEXT,
        "Language": _TEXT,
        "Source": _TEXT,
        "License": _TEXT,
        "Updated": _TIME,
    }
    return _frame(columns, (_dataset(dataset) for dataset in datasets))


def gpus_frame(market: QuotasOutput) -> pd.DataFrame:
    """Cheap first, as the tool lists them; what is unknown stays empty, never zero."""
    columns = {
        "Type": _TEXT,
        "GPU": _TEXT,
        "GPUs": _COUNT,
        "GPU GiB": _COUNT,
        "vCPU": _COUNT,
        "Memory GiB": _COUNT,
        "USD per hour": _TEXT,
        "As of": _TEXT,
        "Source": _TEXT,
        "Confidence": _TEXT,
        "Free": _TEXT,
        "Free spot": _TEXT,
    }
    rows = (
        (
            offer.instance_type,
            offer.gpu,
            offer.gpu_count,
            offer.gpu_memory_gib_each,
            offer.vcpu,
            offer.memory_gib,
            offer.usd_per_hour or "no price",
            offer.price_as_of,
            offer.price_source,
            offer.confidence,
            quota_cell(offer.available, offer.limit),
            quota_cell(offer.spot_available, offer.spot_limit),
        )
        for offer in market.offers
    )
    return _frame(columns, rows)


def regions_frame(
    market: QuotasOutput, regions: Sequence[str], types: Sequence[str]
) -> pd.DataFrame:
    """A row for each type, a column for each region: price and how many are free."""
    cells = {(o.instance_type, o.region): region_cell(o) for o in market.regions}
    rows = (
        (name, *(cells.get((name, region), "unknown") for region in regions)) for name in types
    )
    return _frame({"Type": _TEXT, **dict.fromkeys(regions, _TEXT)}, rows)


def jobs_frame(jobs: Iterable[Job]) -> pd.DataFrame:
    """`Cost USD` is empty until a job's end; what it cost until now needs a clock."""
    columns = {
        "Job": _TEXT,
        "State": _TEXT,
        "Dataset": _TEXT,
        "Data": _TEXT,
        "Model": _TEXT,
        "Instance": _TEXT,
        "Billed s": _COUNT,
        "Cost USD": _NUMBER,
        "At most USD": _NUMBER,
        "Test F1": _NUMBER,
        "Created": _TIME,
    }
    rows = (
        (
            job.job_name,
            job.state.value,
            job.dataset,
            data_cell(job.synthetic),
            job.model,
            job.instance_type,
            job.billed_seconds,
            _usd(job.cost_usd),
            _usd(job.ceiling_usd),
            job.metrics.get("test_f1"),
            job.created_at,
        )
        for job in jobs
    )
    return _frame(columns, rows)


def ledger_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """Signed changes, oldest first."""
    columns = {
        "At": _TIME,
        "Booking": _TEXT,
        "Spent USD": _NUMBER,
        "Reserved USD": _NUMBER,
        "For": _TEXT,
        "Note": _TEXT,
    }
    rows = (
        (
            entry.at,
            entry.kind.value,
            entry.spent_micro / MICRO_PER_USD,
            entry.reserved_micro / MICRO_PER_USD,
            entry.key,
            entry.note,
        )
        for entry in entries
    )
    return _frame(columns, rows)


def stages_frame(plan: Plan) -> pd.DataFrame:
    """What a plan would run, cheap to strong."""
    columns = {
        "Stage": _COUNT,
        "Model": _TEXT,
        "Engine": _TEXT,
        "Instance": _TEXT,
        "USD per hour": _NUMBER,
        "p50 s": _COUNT,
        "p90 s": _COUNT,
        "At most s": _COUNT,
        "At most USD": _NUMBER,
    }
    rows = (
        (
            stage.number,
            stage.model,
            stage.engine,
            stage.instance_type,
            _usd(stage.usd_per_hour),
            stage.estimate.p50_seconds,
            stage.estimate.p90_seconds,
            stage.max_runtime_seconds,
            _usd(stage.ceiling_usd),
        )
        for stage in plan.stages
    )
    return _frame(columns, rows)


def verdicts_frame(report: Report) -> pd.DataFrame:
    columns = {"Clause": _TEXT, "Wanted": _TEXT, "Measured": _TEXT, "Verdict": _TEXT}
    rows = ((v.clause, v.wanted, v.measured, v.verdict.value) for v in report.verdicts)
    return _frame(columns, rows)


def curves_frame(curves: Mapping[str, Sequence[MetricPoint]]) -> pd.DataFrame:
    """One row per point, in long form."""
    rows = ((p.name, p.at, p.value) for points in curves.values() for p in points)
    return _frame({"Metric": _TEXT, "At": _TIME, "Value": _NUMBER}, rows)


def logs_frame(lines: Iterable[LogLine]) -> pd.DataFrame:
    return _frame({"At": _TIME, "Text": _TEXT}, ((entry.at, entry.text) for entry in lines))


def _frame(columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> pd.DataFrame:
    made = pd.DataFrame([tuple(row) for row in rows], columns=list(columns), dtype=object)
    return made.astype(dict(columns))


def _dataset(dataset: Dataset) -> tuple[object, ...]:
    return (
        dataset.name,
        dataset.title,
        data_cell(dataset.synthetic),
        dataset.status.lower(),
        *split_sizes(dataset),
        ", ".join(dataset.labels),
        dataset.language,
        dataset.source,
        dataset.license,
        dataset.updated_at,
    )


def _usd(amount: str | None) -> float | None:
    return None if amount is None else float(amount)
