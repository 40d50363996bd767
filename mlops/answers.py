"""Tool results in plain English, for the offline planner: every number comes from a result."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.money import parse_usd, show_usd

Data = Mapping[str, Any]

HELP = (
    "I train named entity recognition models within a budget. Say for example: "
    '"Train a NER model on the ciER dataset, at most $10, 1 hour, F1 above 85%". '
    "You can also ask for datasets, GPU prices, jobs and costs."
)
GREETING = f"Hello. {HELP}"


def failure(error: Data) -> str:
    """A refusal and its ways out."""
    lines = [str(error.get("message", "That did not work."))]
    lines += [f"- {_way_out(a)}" for a in error.get("alternatives", ())]
    return "\n".join(lines)


def datasets(result: Data) -> str:
    found: Sequence[Data] = result["datasets"]
    if not found:
        return "There are no datasets yet. Import one on the Datasets page."
    return "\n".join([f"There are {len(found)} datasets:", *(_dataset(d) for d in found)])


def which_dataset(result: Data) -> str:
    names = ", ".join(str(d["name"]) for d in result["datasets"])
    return f"Which dataset shall I train on? There are: {names or 'none yet'}."


def gpus(result: Data) -> str:
    """The cheapest first, because a later "that instance" means the first one named."""
    rows = [r for r in result["offers"] if r["gpu"] and r["usd_per_hour"] and r["spendable"]]
    cheapest = result["cheapest_gpu"]
    head = (
        f"The cheapest GPU you can have now is {cheapest}."
        if cheapest
        else "No GPU instance has free quota now."
    )
    lines = [_offer(row) for row in rows[:6]]
    note = (
        "Prices are list prices; money here is metered, not billed." if result["sandbox"] else ""
    )
    return "\n".join([head, *lines, note]).strip()


def instance(result: Data) -> str:
    return "\n".join(_offer(row) for row in result["offers"])


def jobs(result: Data) -> str:
    found: Sequence[Data] = result["jobs"]
    if not found:
        return "There are no training jobs yet."
    return "\n".join(["The latest training jobs:", *(_job(job) for job in found[:5])])


def costs(result: Data) -> str:
    text = (
        f"In {result['month']} you have spent ${result['spent_usd']} of ${result['limit_usd']}; "
        f"${result['reserved_usd']} are reserved, ${result['left_usd']} are left."
    )
    return f"{text} This is a sandbox: metered, not billed." if result["sandbox"] else text


def plan(made: Data) -> str:
    """What would run, what it can cost at most, and why."""
    stages = [
        f"- Stage {s['number']}: {s['model']} on {s['instance_type']} at ${s['usd_per_hour']} per "
        f"hour, about {s['estimate']['p50_seconds']}–{s['estimate']['p90_seconds']} s, at most "
        f"{_usd(s['ceiling_usd'])}."
        for s in made["stages"]
    ]
    head = f"The plan for {made['dataset']['name']} can cost at most {_usd(made['ceiling_usd'])}."
    synthetic = ["The dataset is synthetic."] if made["dataset"]["synthetic"] else []
    return "\n".join([head, *stages, *synthetic])


def launched(result: Data) -> str:
    job = result["job"]
    return (
        f"Training has started: {job['job_name']} on {job['instance_type']}, at most "
        f"{_usd(job['ceiling_usd'])}. I follow it; the report will appear here."
    )


def stopped(result: Data) -> str:
    job = result["job"]
    return f"{job['job_name']} is {job['state']}. What it used until now is charged."


def _way_out(alternative: Data) -> str:
    cost = alternative.get("cost_usd")
    shown = f"{alternative['message']}"
    return shown if cost is None or "$" in shown else f"{shown} (${cost})"


def _dataset(row: Data) -> str:
    sentences = sum(split["sentences"] for split in row["splits"].values())
    size = f"{sentences} sentences, " if sentences else ""
    synthetic = "synthetic, " if row["synthetic"] else ""
    return f"- {row['name']}: {row['title']} ({synthetic}{size}{row['status'].lower()})"


def _offer(row: Data) -> str:
    price = f"${row['usd_per_hour']} per hour" if row["usd_per_hour"] else "no known price"
    as_of = f", list price as of {row['price_as_of']}" if row["price_as_of"] else ""
    gpu = f"{row['gpu_count']} × {row['gpu']}" if row["gpu"] else "CPU"
    free = "unknown" if row["available"] is None else f"{row['available']} of {row['limit']}"
    return f"- {row['instance_type']}: {gpu}, {price}{as_of}; free quota: {free}"


def _job(job: Data) -> str:
    cost = f", ${job['cost_usd']}" if job["cost_usd"] else ""
    f1 = job["metrics"].get("test_f1")
    score = f", test F1 {f1:.4f}" if f1 is not None else ""
    return f"- {job['job_name']}: {job['state']} on {job['instance_type']}{cost}{score}"


def _usd(text: str) -> str:
    return show_usd(parse_usd(text))
