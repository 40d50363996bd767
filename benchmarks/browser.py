"""A tab without a browser: Streamlit's own websocket protocol, so that a page run is timed at the server."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.back_end import free_port, server

_RUN_SECONDS = 60.0


@dataclass(frozen=True)
class PageRun:
    """One run of the script, from the request to `script_finished`."""

    seconds: float
    messages: int
    bytes: int


class Tab:
    """One session of one viewer, on one page."""

    def __init__(self, socket: ClientConnection, page: str, query: str = ""):
        self._socket = socket
        self._page = page
        self._query = query

    def run(self) -> PageRun:
        """Runs the page; RuntimeError when it shows an exception or does not end well."""
        request = BackMsg()
        request.rerun_script.page_name = self._page
        request.rerun_script.query_string = self._query
        began = time.perf_counter()
        self._socket.send(request.SerializeToString())
        messages = size = 0
        while True:
            raw = self._socket.recv(timeout=_RUN_SECONDS)
            assert isinstance(raw, bytes)
            message = ForwardMsg.FromString(raw)
            messages, size = messages + 1, size + len(raw)
            if message.WhichOneof("type") == "delta":
                _refuse_exception(self._page, message.delta)
            if message.WhichOneof("type") == "script_finished":
                _refuse_failure(self._page, message)
                return PageRun(time.perf_counter() - began, messages, size)


@contextmanager
def dashboard(home: Path) -> Iterator[str]:
    """The real dashboard as `streamlit run` starts it, on a free port; its address, when ready."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = ("streamlit", "run", f"--server.port={port}")
    environ, log = os.environ | {"LLMOPS_HOME": str(home)}, home.parent / "dashboard.log"
    with server(command, log, lambda: _is_ready(address), environ):
        yield address


@contextmanager
def tab(address: str, page: str, query: str = "") -> Iterator[Tab]:
    """A new session; nothing runs before `run`."""
    url, protocol = f"ws://{address}/_stcore/stream", Subprotocol("streamlit")
    with connect(url, subprotocols=[protocol], max_size=None, compression=None) as socket:
        yield Tab(socket, page, query)


def _refuse_exception(page: str, delta: Delta) -> None:
    """An error box is refused too: a page that could not read its data is quick for no merit."""
    shown = delta.new_element
    if shown.WhichOneof("type") == "exception":
        raise RuntimeError(f"{page or 'chat'} failed: {shown.exception.message}")
    if shown.WhichOneof("type") == "alert" and shown.alert.format == shown.alert.ERROR:
        raise RuntimeError(f"{page or 'chat'} shows an error: {shown.alert.body}")


def _refuse_failure(page: str, message: ForwardMsg) -> None:
    if message.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
        status = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
        raise RuntimeError(f"{page or 'chat'} ended with {status}")


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
