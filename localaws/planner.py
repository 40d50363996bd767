"""The offline planner: a deterministic policy behind the Converse wire, `local.planner-v1`. No language model."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mlops.dialogue.conversation import assistant_message, read, understand
from mlops.workflow import next_step


def reply(body: Mapping[str, Any]) -> dict[str, Any]:
    """A Converse answer for a Converse request: content, stop reason, and words counted as tokens."""
    messages = body["messages"]
    action = next_step(read(messages), understand(messages))
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True, default=str).encode()).hexdigest()
    content = assistant_message(action, f"call-{digest[:12]}")["content"]
    return {
        "content": content,
        "stopReason": "tool_use" if action.calls else "end_turn",
        "usage": _usage(messages, content),
    }


def _usage(messages: Any, content: Any) -> dict[str, int]:
    return {
        "inputTokens": len(json.dumps(messages, default=str).split()),
        "outputTokens": len(json.dumps(content).split()),
    }
