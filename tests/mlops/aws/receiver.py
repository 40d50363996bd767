"""A web address on this machine that takes notices, as Slack's would, or misbehaves."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Answers with `status`; with `hang` it drips an answer that never ends until it is closed."""

    def __init__(self) -> None:
        self.status = 200
        self.hang = False
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._closed = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._take(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/services/T0/B0/secret?x=1"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.hang:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self._closed.wait(0.02):
                try:
                    handler.wfile.write(b"X: y\r\n")
                except OSError:
                    return
            return
        self.got.append(json.loads(body))
        handler.send_response(self.status)
        if 300 <= self.status < 400:
            handler.send_header("Location", self.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
