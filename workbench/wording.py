"""What a person typed in, checked; and words that commands and screens share."""

from mlops.constraints import MAX_SENTENCE_CHARS
from mlops.errors import FaultError, RequestError
from mlops.job import Job
from mlops.tools import RegionOffer


def plain(text: str) -> str:
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
    return plain(text)


def require_job(job: Job | None) -> Job:
    """Only a plan in the queue has none, and nobody who names a job asks for that."""
    if job is None:
        raise FaultError("no_job", "The tool named no job.")
    return job


def region_cell(offer: RegionOffer) -> str:
    """ "★ $0.115, free 15"; what is not known is said so."""
    price = f"${offer.usd_per_hour}" if offer.usd_per_hour else "price unknown"
    free = "unknown" if offer.available is None else str(offer.available)
    return f"{'★ ' if offer.cheapest else ''}{price}, free {free}"
