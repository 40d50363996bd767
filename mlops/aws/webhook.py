"""One JSON document to one web address: no redirects, no retries, and a bounded time whatever the other side does."""

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SECONDS = 8.0
_STEP_SECONDS = 4.0


def post(url: str, body: Mapping[str, Any], seconds: float = SECONDS) -> str:
    """ "" when it was taken, else why not; the address, which is a secret, is in no answer.

    http.client writes no log, and a thread bounds even an answer that comes in drop by drop.
    """
    outcome: list[str] = []
    connection = _connection(url)
    sending = threading.Thread(
        target=lambda: outcome.append(_send(connection, url, body)), daemon=True
    )
    sending.start()
    sending.join(seconds)
    if sending.is_alive():
        connection.close()
        return f"no answer within {seconds:g} seconds"
    return outcome[0] if outcome else "it could not be sent"


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, parts.port, timeout=_STEP_SECONDS, context=context
        )
    return http.client.HTTPConnection(host, parts.port, timeout=_STEP_SECONDS)


def _send(connection: http.client.HTTPConnection, url: str, body: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    headers = {"Content-Type": "application/json", "User-Agent": "llmops"}
    try:
        connection.request("POST", path, json.dumps(body).encode(), headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, AttributeError, ValueError) as error:
        return f"it could not be reached ({type(error).__name__})"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"it answered {status}"
