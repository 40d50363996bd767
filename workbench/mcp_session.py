"""Carries out the tool calls of an MCP client: code completes the arguments, and the log has each.

A client's model is trusted as little as ours: who asks, what a plan may cost and whether a person
approved it are not its to say.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from agent.acting import plan_data
from agent.gate import approval_data
from agent.messages import shorten, size
from mlops.aws.clients import as_ours
from mlops.aws.events import EventLog
from mlops.aws.plans import Plans
from mlops.aws.sessions import Sessions
from mlops.errors import OpsError, RefusedError, RequestError
from mlops.events import EventKind
from mlops.money import to_cents
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS
from workbench import boot
from workbench.wording import understood

REQUEST = "request"
"""What plan_training takes from a client in place of constraints: words, which code reads."""

_MAX_ARGUMENT_CHARS = 16_000
# An event is one item of at most 400 kB.
_MAX_EVENT_CHARS = 200_000
_LOG = logging.getLogger(__name__)
_SAID = (
    "what the person wants, in their own words, with budget, time limit and target as they said"
)


def client_schema(spec: ToolSpec) -> dict[str, Any]:
    """JSON Schema of the arguments that a client may set."""
    schema = {**spec.model_schema(), "additionalProperties": False}
    if "constraints" not in spec.injected:
        return schema
    words = {"type": "string", "description": _SAID}
    return {
        **schema,
        "properties": {REQUEST: words, **schema["properties"]},
        "required": [REQUEST, *schema["required"]],
    }


class McpSession:
    """One connection of a client, as a session of the log; safe to share between threads."""

    def __init__(
        self,
        services: boot.Services,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        self.id = f"mcp-{uuid.uuid4().hex[:16]}"
        self._services = services
        self._person = services.settings.person
        self._clock = clock
        self._plans = Plans(services.aws)
        self._log = EventLog(services.aws, clock)
        self._opening, self._noting = threading.Lock(), threading.Lock()
        self._opened = False

    def call(self, name: str, arguments: Mapping[str, Any], client: str = "") -> dict[str, Any]:
        """The tool's answer, or its OpsError; FaultError for whatever nobody foresaw."""
        try:
            self._open(client)
            return self._logged(name, arguments)
        except Exception as raised:
            error = as_ours(raised)
            if error.code == "aws_unreachable":
                with suppress(OpsError):
                    boot.revive(self._services)
            if error is raised:
                raise
            raise error from raised

    def _open(self, client: str) -> None:
        """The session is listed among the person's conversations once something was called."""
        with self._opening:
            if self._opened:
                return
            title = f"MCP client {client[:40]}".strip()
            Sessions(self._services.aws).open(self.id, self._person, title, self._clock())
            self._opened = True

    def _logged(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        turn = f"turn-{uuid.uuid4().hex[:12]}"
        about = {"call_id": turn.replace("turn", "call"), "tool": name[:80]}
        try:
            sent = self._completed(name, arguments, turn)
        except OpsError as error:
            shown = arguments if size(arguments) <= _MAX_ARGUMENT_CHARS else {}
            self._note(turn, EventKind.TOOL_CALL, {**about, "arguments": shown})
            self._note_failure(turn, about, error)
            raise
        self._note(turn, EventKind.TOOL_CALL, {**about, "arguments": sent} | _words(arguments))
        try:
            answer = self._services.gateway.invoke_tool(name, sent)
        except OpsError as error:
            self._note_failure(turn, about, error)
            raise
        kept, _ = shorten(answer, _MAX_EVENT_CHARS)
        self._note(turn, EventKind.TOOL_RESULT, {**about, "ok": True, "result": kept})
        if name == "plan_training":
            self._note(turn, EventKind.PLAN, plan_data(answer))
        return answer

    def _completed(self, name: str, arguments: Mapping[str, Any], turn: str) -> dict[str, Any]:
        """The arguments with what only code may say; OpsError when they do not fit."""
        spec = TOOLS.get(name)
        if spec is None:
            known = ", ".join(sorted(TOOLS))
            raise RequestError("unknown_tool", f"There is no such tool. There are: {known}.")
        if size(arguments) > _MAX_ARGUMENT_CHARS:
            limit = f"at most {_MAX_ARGUMENT_CHARS} characters"
            raise RequestError("bad_arguments", f"{name}: arguments have {limit}.")
        forbidden = sorted(spec.injected.intersection(arguments))
        if forbidden:
            said = f"; say it in {REQUEST!r}" if "constraints" in forbidden else ""
            raise RequestError(
                "bad_arguments", f"{name}: {', '.join(forbidden)} is not yours to set{said}."
            )
        own = {key: value for key, value in arguments.items() if not _is_words(spec, key)}
        spec.read(own)
        known = self._known(arguments, turn)
        whole = {**own, **{field: known[field]() for field in sorted(spec.injected)}}
        spec.read(whole)
        return whole

    def _known(self, arguments: Mapping[str, Any], turn: str) -> dict[str, Callable[[], Any]]:
        """What each injected field is; the costly ones are looked up when they are wanted."""
        return {
            "person": lambda: self._person,
            "session_id": lambda: self.id,
            "turn": lambda: turn,
            "approved_by": lambda: "",
            "constraints": lambda: self._constraints(arguments.get(REQUEST)),
            "retry_of": lambda: "",
            "max_cost_cents": lambda: self._ceiling_cents(arguments["plan_id"], turn),
        }

    def _ceiling_cents(self, plan_id: str, turn: str) -> int:
        """Of a plan of this person. Whether it is approved is judged by the tool itself."""
        plan = self._plans.of(self._person, plan_id)
        approval = self._plans.approval(plan_id)
        if approval is not None and approval.queue is not None:
            raise RefusedError("queued", "A person queued this plan: it is started by itself.")
        if approval is None and plan.session_id == self.id:
            waiting = approval_data(plan, "waiting")
            self._note(turn, EventKind.APPROVAL, waiting, f"waiting#{plan_id}")
        return to_cents(plan.ceiling_micro)

    def _constraints(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, str):
            raise RequestError("bad_arguments", f"plan_training: {REQUEST} must be text: {_SAID}.")
        parsed = understood(request, self._clock(), self._services.settings.timezone)
        return parsed.constraints.model_dump(mode="json")

    def _note_failure(self, turn: str, about: dict[str, Any], error: OpsError) -> None:
        failed = {**about, "ok": False, "error": error.as_data()}
        self._note(turn, EventKind.TOOL_RESULT, failed)

    def _note(
        self, turn: str, kind: EventKind, data: dict[str, Any], once: str | None = None
    ) -> None:
        """One after the other: writers side by side would only race for the next number."""
        with self._noting:
            self._log.append(self.id, turn, kind, data, once, self._person)


def _is_words(spec: ToolSpec, argument: str) -> bool:
    return argument == REQUEST and "constraints" in spec.injected


def _words(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for in words, for the log; other tools take none."""
    return {REQUEST: arguments[REQUEST]} if REQUEST in arguments else {}
