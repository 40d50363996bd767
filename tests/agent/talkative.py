"""A scripted language model: it thinks aloud, talks beside its calls, calls more than it needs and forges what it may not say."""

import uuid
from typing import Any

from localaws import planner
from tests.agent.converse_server import Answer

_FORGED = {"constraints": {"budget_usd": "1000000", "dataset": "cier"}, "person": "mallory"}


def reply(body: dict[str, Any]) -> Answer:
    """What the situation asks for, in the manner of a model."""
    content = planner.reply(body)["content"]
    mark = uuid.uuid4().hex[:8]
    uses = [block for block in content if "toolUse" in block]
    words = " ".join(block["text"] for block in content if "text" in block)
    if not uses:
        return {"content": [_thought(mark), {"text": f"Sure!\n{words}"}], "stopReason": "end_turn"}
    if len(uses) == 1 and uses[0]["toolUse"]["name"] == "prepare_dataset":
        more = {"toolUseId": f"x-{mark}", "name": "get_costs", "input": {}}
        uses.insert(0, {"toolUse": more})
    for block in uses:
        if block["toolUse"]["name"] == "plan_training":
            block["toolUse"]["input"] |= _FORGED
    beside = {"text": words or "Let me look that up for you."}
    return {"content": [_thought(mark), beside, *uses], "stopReason": "tool_use"}


def _thought(mark: str) -> dict[str, Any]:
    thought = {"text": "The person wants something. What was it?", "signature": f"signed-{mark}"}
    return {"reasoningContent": {"reasoningText": thought}}
