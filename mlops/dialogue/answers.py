"""Tool results in plain words, English or German, for the offline planner: every number comes from a result."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.dialogue.choices import lettered
from mlops.dialogue.language import Language
from mlops.dialogue.memory import trainable
from mlops.dialogue.phrases import reason_in_words, say, state_in_words, state_predicate
from mlops.money import parse_usd, show_usd

Data = Mapping[str, Any]

EN = Language.EN
_MOST_REASONS = 6


def help_text(language: Language = EN) -> str:
    return say("help", language)


def greeting(language: Language = EN, text: str = "") -> str:
    """Thanks are answered as thanks."""
    if any(word in text.lower() for word in ("thank", "dank", "thx")):
        return say("thanks", language)
    return say("hello", language, help=help_text(language))


def failure(error: Data, language: Language = EN) -> str:
    """A refusal and its ways out, lettered so that a letter is an answer."""
    message = str(error.get("message") or say("not_worked", language))
    ways = lettered([_way_out(a) for a in error.get("alternatives", ())])
    return "\n".join([message, *ways])


def datasets(result: Data, language: Language = EN) -> str:
    found: Sequence[Data] = result["datasets"]
    if not found:
        return say("no_datasets", language)
    head = say("datasets", language, count=len(found))
    return "\n".join([head, *(_dataset(row, language) for row in found)])


def which_dataset(result: Data, language: Language = EN) -> str:
    names = ", ".join(str(d["name"]) for d in trainable(result["datasets"]))
    return say("which_dataset", language, names=names or say("none_yet", language))


def gpus(result: Data, language: Language = EN) -> str:
    """The cheapest first, because a later "that instance" means the first one named."""
    rows = [r for r in result["offers"] if r["gpu"] and r["usd_per_hour"] and r["spendable"]]
    cheapest = result["cheapest_gpu"]
    name = "cheapest_gpu" if cheapest else "no_gpu"
    lines = [_offer(row, language) for row in rows[:6]]
    note = say("list_prices", language) if result["sandbox"] else ""
    return "\n".join([say(name, language, name=cheapest), *lines, note]).strip()


def instance(result: Data, language: Language = EN) -> str:
    rows = [_offer(row, language) for row in result["offers"]]
    return "\n".join(rows) or say("no_offer", language)


def jobs(result: Data, language: Language = EN) -> str:
    found: Sequence[Data] = result["jobs"]
    if not found:
        return say("no_jobs", language)
    return "\n".join([say("jobs", language), *(_job(job, language) for job in found[:5])])


def job_cost(result: Data, language: Language = EN) -> str:
    """Of the job that was asked for, else of the latest."""
    if not result["jobs"]:
        return say("no_jobs", language)
    job = result["jobs"][0]
    facts = {"name": job["job_name"], "where": job["instance_type"]}
    if job["cost_usd"] is None:
        state = state_predicate(job["state"], language)
        return say("job_running", language, state=state, usd=_usd(job["ceiling_usd"]), **facts)
    seconds = job["billed_seconds"]
    return say("job_cost", language, usd=job["cost_usd"], seconds=seconds, **facts)


def job_end(result: Data, language: Language = EN) -> str:
    """Why it failed or ended: of the job asked for, else of the latest that failed, else the latest."""
    found: Sequence[Data] = result["jobs"]
    if not found:
        return say("no_jobs", language)
    job = next((j for j in found if j["state"] == "failed"), found[0])
    state = state_predicate(job["state"], language)
    facts = {"name": job["job_name"], "state": state}
    if job["state"] == "failed":
        return say("failed_because", language, why=job["failure_reason"] or "?", **facts)
    if job["end_reason"]:
        return say("ended_because", language, why=job["end_reason"], **facts)
    return say("did_not_fail", language, **facts)


def costs(result: Data, language: Language = EN) -> str:
    text = say(
        "costs",
        language,
        month=result["month"],
        spent=result["spent_usd"],
        limit=result["limit_usd"],
        reserved=result["reserved_usd"],
        left=result["left_usd"],
    )
    return text + (say("sandbox", language) if result["sandbox"] else "")


def plan(made: Data, language: Language = EN) -> str:
    """What would run, what it can cost at most, and why."""
    stages = [
        say(
            "stage",
            language,
            number=stage["number"],
            model=stage["model"],
            where=stage["instance_type"],
            spot=say("spot", language) if stage["spot"] else "",
            price=stage["usd_per_hour"],
            low=stage["estimate"]["p50_seconds"],
            high=stage["estimate"]["p90_seconds"],
            usd=_usd(stage["ceiling_usd"]),
        )
        for stage in made["stages"]
    ]
    name, most = made["dataset"]["name"], _usd(made["ceiling_usd"])
    synthetic = [say("synthetic", language)] if made["dataset"]["synthetic"] else []
    return "\n".join([say("plan", language, name=name, usd=most), *stages, *synthetic])


def why_plan(made: Data, language: Language = EN) -> str:
    """The reasons that the plan itself gives, and what it left out."""
    reasons = [f"- {reason_in_words(reason, language)}" for reason in made["reasons"]]
    steps = [(str(step["title"]), str(step["why"])) for step in made["next_steps"]]
    steps += [(str(out["what"]), str(out["why"])) for out in made["rejections"]]
    steps = [(what, reason_in_words(why, language)) for what, why in steps]
    left_out = [say("left_out", language, what=what, why=why) for what, why in steps]
    return "\n".join([say("why_plan", language), *reasons, *left_out[:_MOST_REASONS]])


def launched(result: Data, language: Language = EN) -> str:
    job = result["job"]
    if job is None:
        return say("queued", language, message=result["message"])
    facts = {"name": job["job_name"], "where": job["instance_type"]}
    return say("launched", language, usd=_usd(job["ceiling_usd"]), **facts)


def stopped(result: Data, language: Language = EN) -> str:
    job = result["job"]
    if job is None:
        return say("cancelled", language, plan=result["plan_id"], usd=_usd(result["released_usd"]))
    state = state_predicate(job["state"], language)
    return say("stopped", language, name=job["job_name"], state=state)


def shall_stop(job: Data, language: Language = EN) -> str:
    """Asked back, so that a yes or the letter stops it."""
    facts = {"name": job["job_name"], "where": job["instance_type"]}
    return "\n".join([say("shall_stop", language, **facts), *lettered([str(job["job_name"])])])


def which_job(names: Sequence[str], language: Language = EN) -> str:
    return "\n".join([say("which_job", language), *lettered(names)])


def _way_out(alternative: Data) -> str:
    cost = alternative.get("cost_usd")
    shown = f"{alternative['message']}"
    return shown if cost is None or "$" in shown else f"{shown} (${cost})"


def _dataset(row: Data, language: Language) -> str:
    count = sum(split["sentences"] for split in row["splits"].values())
    size = say("sentences", language, count=count) if count else ""
    synthetic = say("synthetic_mark", language) if row["synthetic"] else ""
    return f"- {row['name']}: {row['title']} ({synthetic}{size}{row['status'].lower()})"


def _offer(row: Data, language: Language) -> str:
    hourly = row["usd_per_hour"]
    price = say("per_hour", language, usd=hourly) if hourly else say("no_price", language)
    if row["price_as_of"]:
        price += say("as_of", language, date=row["price_as_of"])
    if row.get("spot_usd_per_hour"):
        price += say("spot_price", language, usd=_usd(row["spot_usd_per_hour"]))
    gpu = f"{row['gpu_count']} × {row['gpu']}" if row["gpu"] else "CPU"
    free = say("unknown", language)
    if row["available"] is not None:
        free = say("of", language, part=row["available"], whole=row["limit"])
    return say("offer", language, name=row["instance_type"], gpu=gpu, price=price, free=free)


def _job(job: Data, language: Language) -> str:
    f1 = job["metrics"].get("test_f1")
    return say(
        "job",
        language,
        name=job["job_name"],
        state=state_in_words(job["state"], language),
        where=job["instance_type"],
        cost=f", ${job['cost_usd']}" if job["cost_usd"] else "",
        score=say("score", language, f1=f1) if f1 is not None else "",
    )


def _usd(text: str) -> str:
    return show_usd(parse_usd(text))
