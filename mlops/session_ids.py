"""What a conversation may be called: ids in, RequestError for those that are kept for logs of ours."""

import re

from mlops.decisions import OPERATIONS
from mlops.errors import RequestError

# What fits into keys, addresses and file names alike; two of those mean folders.
_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED = frozenset((OPERATIONS, "health", "inbox", ".", ".."))


def require_id(session_id: str) -> None:
    """RequestError "bad_session" for what cannot be the id of a conversation."""
    if not _PATTERN.fullmatch(session_id):
        raise RequestError("bad_session", "A session id is 1 to 64 of A-Z a-z 0-9 _ . -")
    if session_id in RESERVED:
        message = f"The session id {session_id!r} is kept for the system; choose another one."
        raise RequestError("bad_session", message)
