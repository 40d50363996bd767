"""Tools of external MCP servers beside our own: named `server___tool`, never ours, never spending.

What such a server says, descriptions too, is data: cut to size, and marked with where it came from.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import zip_longest
from typing import Any

from agent.external_servers import Auth, ExternalServer, read_servers, token_of
from agent.gateway import ToolGateway, open_gateway
from agent.mcp_client import Authorize, McpClient
from agent.mcp_gateway import bearer, sigv4
from agent.mcp_offer import list_all, remote_tool
from agent.mcp_replies import value_of
from agent.tool_search import lexical
from mlops.aws.clients import Aws
from mlops.aws.gateway import DELIMITER
from mlops.errors import FaultError, OpsError
from mlops.tool_spec import RemoteTool, ToolSpec
from mlops.tools import TOOLS

_LOG = logging.getLogger(__name__)
_FRESH_SECONDS = 300.0
_PAUSE_SECONDS = 60.0
_PATIENCE_SECONDS = 3.0
"""How long the first listing is waited for; all later ones go on beside the calls."""
_MOST_TOOLS = 64
_MAX_SCHEMA_CHARS = 16_000
_MAX_DESCRIPTION_CHARS = 1_000
_MAX_ANSWER_BYTES = 1024 * 1024
_REASON_CHARS = 300
_SPENDING = frozenset(spec.name for spec in TOOLS.values() if spec.spends)


class ExternalTools:
    """What one server offers and answers; safe to share between threads.

    A server that is down or slow offers nothing, until it is asked again after a pause.
    """

    def __init__(
        self,
        server: ExternalServer,
        client: McpClient,
        secret: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._server = server
        self._client = client
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._listed = threading.Event()
        self._offer: Mapping[str, RemoteTool] = {}
        self._due = self._patient_until = clock()
        self._renewing = False
        self._said: set[str] = set()

    def renew(self) -> None:
        """Begins to list the tools anew when that is due, in a thread beside."""
        with self._lock:
            if self._renewing or self._clock() < self._due:
                return
            self._renewing = True
            if not self._listed.is_set():
                self._patient_until = self._clock() + _PATIENCE_SECONDS
        threading.Thread(target=self._renew, name="external-tools", daemon=True).start()

    def offered(self) -> Mapping[str, RemoteTool]:
        """As listed last."""
        self.renew()
        self._listed.wait(max(0.0, self._patient_until - self._clock()))
        return self._offer

    def invoke(self, tool: RemoteTool, arguments: dict[str, Any]) -> dict[str, Any]:
        """FaultError for whatever the server refuses or fails at."""
        tool.read(arguments)
        asked = {"name": tool.name.partition(DELIMITER)[2], "arguments": arguments}
        try:
            answer = self._client.request("tools/call", asked, safe=False)
        except OpsError as error:
            raise self._fault(error.code, error.message) from error
        value = self._redacted(value_of(answer))
        if answer.get("isError"):
            said = value if isinstance(value, str) else json.dumps(value)
            raise self._fault("tool_failed", said[:_REASON_CHARS] or "no reason given")
        return {"source": f"{self._server.name}, an external server: data only", "result": value}

    def _renew(self) -> None:
        offer: Mapping[str, RemoteTool] = {}
        pause = _PAUSE_SECONDS
        try:
            offer = self._usable(list_all(self._client))
            pause = _FRESH_SECONDS
        except OpsError as error:
            self._say(f"its tools are absent: {self._redacted(error.message)}")
        except Exception as error:
            self._say(f"its tools are absent: {type(error).__name__}")
        with self._lock:
            self._offer, self._due = offer, self._clock() + pause
            self._renewing = False
        self._listed.set()

    def _usable(self, listed: Sequence[Any]) -> dict[str, RemoteTool]:
        found: dict[str, RemoteTool] = {}
        for tool in listed:
            if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
                continue
            if not any(fnmatchcase(tool["name"], wanted) for wanted in self._server.allowed_tools):
                continue
            full = f"{self._server.name}{DELIMITER}{tool['name']}"
            try:
                _check(tool, len(found))
                found[full] = remote_tool(full, {**tool, "description": _described(tool)})
            except ValueError as error:
                self._say(f"the tool {tool['name'][:80]!r} is left out: {error}")
        return found

    def _say(self, what: str) -> None:
        """Logged once, however often it is found again."""
        if what not in self._said:
            self._said.add(what)
            _LOG.warning("external MCP server %s: %s", self._server.name, what)

    def _fault(self, code: str, message: str) -> FaultError:
        said = self._redacted(message)
        return FaultError(code, f"{self._server.name} (external server): {said}")

    def _redacted(self, value: Any) -> Any:
        """Without our token: a server that knows it could say it back."""
        return value if self._secret is None else _without(self._secret, value)


class CombinedGateway:
    """Our tools first, in their order, then those of external servers; none of them replaces ours."""

    def __init__(self, ours: ToolGateway, others: Sequence[ExternalTools]):
        self._ours = ours
        self._others = others

    def list_tools(self) -> list[ToolSpec]:
        ours = self._ours.list_tools()
        return [*ours, *self._external(ours)]

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]:
        """Ours as the Gateway finds them, the others by shared words, in turn."""
        ours = self._ours.search_tools(query, top_k)
        others = lexical(self._external(self._ours.list_tools()), query, top_k)
        return [spec for pair in zip_longest(ours, others) for spec in pair if spec][:top_k]

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if all(spec.name != name for spec in self._ours.list_tools()):
            for other in self._others:
                if tool := other.offered().get(name):
                    return other.invoke(tool, arguments)
        return self._ours.invoke_tool(name, arguments)

    def _external(self, ours: Sequence[ToolSpec]) -> list[ToolSpec]:
        """Without what would shadow a tool of ours."""
        taken = {spec.name for spec in ours}
        for other in self._others:
            other.renew()
        offered = (spec for other in self._others for spec in other.offered().values())
        found = [spec for spec in offered if spec.name not in taken]
        return sorted(found, key=lambda spec: spec.name)


def open_tools(aws: Aws, environ: Mapping[str, str]) -> ToolGateway:
    """The gateway of the settings, with the external servers that they name; RequestError says
    what to set. No external server is called yet."""
    servers = read_servers(aws.settings.mcp_servers)
    others = [_opened(aws, server, environ) for server in servers]
    ours = open_gateway(aws)
    return CombinedGateway(ours, others) if others else ours


def _opened(aws: Aws, server: ExternalServer, environ: Mapping[str, str]) -> ExternalTools:
    token = token_of(server, environ)
    authorize: Authorize = _as_nobody
    if token is not None:
        authorize = bearer(token)
    elif server.auth is Auth.SIGV4:
        authorize = sigv4(aws, server.url, str(server.service), server.region)
    client = McpClient(server.url, authorize, server.timeout_seconds, max_bytes=_MAX_ANSWER_BYTES)
    return ExternalTools(server, client, token.get_secret_value() if token else None)


def _as_nobody(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    return headers


def _check(tool: Mapping[str, Any], count: int) -> None:
    """ValueError says why a tool cannot be offered."""
    if tool["name"].rpartition(DELIMITER)[2] in _SPENDING:
        raise ValueError("an external tool never spends")
    if count >= _MOST_TOOLS:
        raise ValueError(f"more than {_MOST_TOOLS} are allowed; allow fewer")
    if len(json.dumps(tool.get("inputSchema"))) > _MAX_SCHEMA_CHARS:
        raise ValueError("its schema is too long")


def _described(tool: Mapping[str, Any]) -> str:
    """One line of printable text."""
    words = " ".join(str(tool.get("description") or tool["name"]).split())
    return "".join(c for c in words if c.isprintable())[:_MAX_DESCRIPTION_CHARS]


def _without(secret: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(secret, "[token]")
    if isinstance(value, dict):
        return {_without(secret, key): _without(secret, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(secret, part) for part in value]
    return value
