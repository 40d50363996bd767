"""What a person said, read again: the same words in the same conversation give the same constraints."""

from collections.abc import Iterable
from typing import Any

from mlops.constraints import Parsed
from mlops.dialogue.conversation import noted, understand
from mlops.events import Event, EventKind
from mlops.replay.differences import Findings

Message = dict[str, Any]


def recheck_words(events: Iterable[Event], found: Findings) -> None:
    """Compares each stored reading with today's, in the conversation as the log has it."""
    messages: list[Message] = []
    for event in events:
        parsed = event.data.get("parsed") if event.kind is EventKind.STEP else None
        if parsed and messages and messages[-1]["role"] == "user":
            again = understand(messages).model_dump(mode="json")
            found.compare("words", event.seq, "reading of the words", parsed, again)
            # What follows was read in the light of what was understood then.
            messages[-1] = noted(messages[-1], Parsed.model_validate(parsed), messages)
        messages += _heard(event)


def _heard(event: Event) -> list[Message]:
    """What of an event belongs to the conversation that references are resolved in."""
    data = event.data
    if event.kind is EventKind.USER:
        return [_message("user", {"text": str(data.get("text", ""))})]
    if event.kind is EventKind.ANSWER:
        return [_message("assistant", {"text": str(data.get("text", ""))})]
    if event.kind is EventKind.ERROR:
        return [_message("assistant", {"text": str(data.get("message", ""))})]
    if event.kind is EventKind.TOOL_CALL:
        use = {"toolUseId": data["call_id"], "name": data["tool"], "input": data["arguments"]}
        return [_message("assistant", {"toolUse": use})]
    if event.kind is EventKind.TOOL_RESULT:
        content: Any = data.get("result") or data.get("error") or {}
        result: Message = {
            "toolUseId": data["call_id"],
            "content": [{"json": content}],
            "status": "success" if data["ok"] else "error",
        }
        return [_message("user", {"toolResult": result})]
    return []


def _message(role: str, block: Message) -> Message:
    return {"role": role, "content": [block]}
