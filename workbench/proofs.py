"""The proof of a decision log; that of an exported file needs no back end, and loads none."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mlops.errors import RequestError
from mlops.events import Flaw
from mlops.exports import read_export

_MAX_FILE_BYTES = 200_000_000


class Proof(BaseModel):
    """Whether a log is what was written; `hash` seals all of it, so keep it to prove it later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    events: int
    hash: str
    flaw: Flaw | None


def verify_file(path: Path) -> Proof:
    """RequestError when the file is no export."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise RequestError("bad_export", f"{path} is larger than an export can be.")
        found = read_export(path.read_text("utf-8").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RequestError("unreadable", f"{path}: {reason}.") from error
    return Proof(
        session=found.session,
        events=len(found.events),
        hash=found.head.hash,
        flaw=found.flaw,
    )
