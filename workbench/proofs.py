"""The proof of a decision log; that of an exported file needs no back end, and loads none."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mlops.errors import RequestError
from mlops.events import Event, Flaw, Head
from mlops.exports import read_export

_MAX_FILE_BYTES = 200_000_000
_SEAL = re.compile(r"[0-9a-f]{64}")


class Proof(BaseModel):
    """Whether a log is consistent in itself; `hash` seals all of it, so keep it to prove it later.

    `sealed_to` is the last event that a seal kept elsewhere proves; None when none was given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    events: int
    hash: str
    flaw: Flaw | None
    sealed_to: int | None = None


def prove(
    session: str, events: Sequence[Event], head: Head, flaw: Flaw | None, seal: str = ""
) -> Proof:
    """`seal` is the hash of some event, from where nobody could change it together with the log.

    RequestError when it cannot be one.
    """
    wanted = seal.strip().lower()
    if wanted and not _SEAL.fullmatch(wanted):
        raise RequestError("bad_seal", "A seal is the 64 letters and digits that verify prints.")
    sealed_to = next((e.seq for e in events if e.hash == wanted), None)
    if wanted and flaw is None and sealed_to is None:
        flaw = Flaw(seq=head.seq, why="no event of it has this seal, so it is not what was sealed")
    return Proof(
        session=session,
        events=len(events),
        hash=head.hash,
        flaw=flaw,
        sealed_to=None if flaw else sealed_to,
    )


def verify_file(path: Path, seal: str = "") -> Proof:
    """RequestError when the file is no export."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise RequestError("bad_export", f"{path} is larger than an export can be.")
        found = read_export(path.read_text("utf-8").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RequestError("unreadable", f"{path}: {reason}.") from error
    return prove(found.session, found.events, found.head, found.flaw, seal)
