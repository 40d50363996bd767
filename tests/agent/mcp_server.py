"""A scripted MCP server: each answer to a method is taken from a list; what was asked is kept."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1, connections stay open."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        assert isinstance(self.server, Server)
        self.server.asked.append((message["method"], message.get("params"), dict(self.headers)))
        self.server.answer(self, message)

    def reply(
        self, status: int, body: bytes = b"", kind: str = "application/json", **more: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def chunks(self, *parts: bytes, end: bool = True) -> None:
        """A chunked event stream; without an end it stays open."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for part in (*parts, *((b"",) if end else ())):
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        return


class Server(ThreadingHTTPServer):
    """`scripts` are answers by method, used up in order; the last one stays."""

    daemon_threads = True

    def __init__(self, **scripts: list[Answer]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/mcp"
        self.asked: list[tuple[str, Any, dict[str, str]]] = []
        self.scripts = {"initialize": [hello()], "notifications/initialized": [status(202)]}
        self.scripts |= {name.replace("_", "/"): script for name, script in scripts.items()}
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def answer(self, handler: Handler, message: dict[str, Any]) -> None:
        with self._lock:
            script = self.scripts[message["method"]]
            step = script.pop(0) if len(script) > 1 else script[0]
        step(handler, message)

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]

    def headers(self, method: str) -> dict[str, str]:
        return [headers for name, _, headers in self.asked if name == method][-1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no matter."""

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler, _: handler.reply(code, body, **headers)


def hello(session: str | None = "s-1", version: str = "2025-11-25") -> Answer:
    headers = {"Mcp_Session_Id": session} if session else {}
    return lambda handler, message: handler.reply(
        200, reply_to(message, {"protocolVersion": version}), **headers
    )


def result(value: dict[str, Any]) -> Answer:
    return lambda handler, message: handler.reply(200, reply_to(message, value))


def error(code: int, message: str) -> Answer:
    def answer(handler: Handler, asked: dict[str, Any]) -> None:
        body = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": message}}
        handler.reply(200, json.dumps(body).encode())

    return answer


def raw(body: bytes) -> Answer:
    return lambda handler, _: handler.reply(200, body)


def cut(handler: Handler, _: dict[str, Any]) -> None:
    """Hangs up instead of an answer."""
    handler.close_connection = True
    handler.connection.close()


def reply_to(message: dict[str, Any], value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value}).encode()
