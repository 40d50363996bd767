"""What a person typed in, checked; and words that commands and screens share."""

from datetime import datetime

from mlops.constraints import MAX_SENTENCE_CHARS, Parsed, at_moment, parse
from mlops.datasets import Dataset
from mlops.errors import FaultError, RequestError
from mlops.job import Job
from mlops.tools import OfferRow, RegionOffer


def encodable(text: str) -> str:
    """Bytes that were no text arrive as lone surrogates; nothing may store or print those."""
    return text.encode("utf-8", "replace").decode()


def checked(text: str) -> str:
    """RequestError when there is nothing, or more than a request can be."""
    if not text.strip():
        raise RequestError("empty_text", "Say what you want, for example what to train on what.")
    if len(text) > MAX_SENTENCE_CHARS:
        raise RequestError(
            "text_too_long", f"Say it in {MAX_SENTENCE_CHARS:,} characters or less."
        )
    return encodable(text)


def understood(text: str, now: datetime, timezone: str | None) -> Parsed:
    """A request that can be planned, its times those of the zone's clock; RequestError for what a
    person has to say better."""
    parsed = at_moment(parse(checked(text)), now, timezone)
    if parsed.problems:
        raise RequestError("bad_clause", " ".join(p.message for p in parsed.problems))
    return parsed


def require_job(job: Job | None) -> Job:
    """Only a plan in the queue has none, and nobody who names a job asks for that."""
    if job is None:
        raise FaultError("no_job", "The tool named no job.")
    return job


def data_cell(synthetic: bool) -> str:
    """Whoever does not say that data is synthetic has not said that it is real."""
    return "synthetic" if synthetic else "not stated"


def split_sizes(dataset: Dataset) -> list[int | None]:
    """Sentences of train, validation and test; None before it is prepared."""
    splits = dataset.splits
    names = ("train", "validation", "test")
    return [splits[name].sentences if name in splits else None for name in names]


def quota_cell(available: int | None, limit: int | None) -> str:
    return "unknown" if available is None else f"{available} of {limit}"


def wait_cell(offer: OfferRow) -> str:
    """Median and p90 from launch to start of one's own jobs, and how many those were."""
    if offer.wait_p50_seconds is None:
        return "unknown"
    return f"{offer.wait_p50_seconds} / {offer.wait_p90_seconds} s ({offer.wait_jobs})"


def region_cell(offer: RegionOffer) -> str:
    """ "★ $0.115, free 15"; what is not known is said so."""
    price = f"${offer.usd_per_hour}" if offer.usd_per_hour else "price unknown"
    free = "unknown" if offer.available is None else str(offer.available)
    return f"{'★ ' if offer.cheapest else ''}{price}, free {free}"
