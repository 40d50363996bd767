"""What the graph carries from node to node, and what a checkpoint holds: JSON primitives only.

Nodes see one flat `State`. The graph keeps it as two channels, because a checkpoint writes one item
for each channel that changed.
"""

import operator
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict, cast

from mlops.events import EventKind


class Kept(TypedDict):
    """A State as the graph's channels: messages are appended, the rest is merged key by key."""

    messages: Annotated[list[dict[str, Any]], operator.add]
    rest: Annotated[dict[str, Any], operator.or_]


class State(TypedDict):
    """`messages` accumulate over a session; everything else belongs to the running turn.

    calls: [{"id", "tool", "arguments"}]; results: [{"id", "tool", "ok", "data", "note"}];
    seen: how often each call was asked for; failed: {"tool", "error"} not yet mended;
    ending: {"kind", "data"} of the event that ends the turn.
    """

    messages: list[dict[str, Any]]
    session_id: str
    turn: str
    leg: str
    person: str
    text: str
    launch: str
    parsed: dict[str, Any]
    calls: list[dict[str, Any]]
    results: list[dict[str, Any]]
    asking: str
    iterations: int
    calls_made: int
    refusals: int
    seen: dict[str, int]
    failed: dict[str, Any] | None
    ending: dict[str, Any] | None


Update = dict[str, Any]


def fresh(
    session_id: str, turn: str, person: str, text: str, leg: str = "", launch: str = ""
) -> State:
    """The start of a turn: the conversation stays, the last turn's rest goes.

    A leg is one run of a turn; a second one launches a plan approved later (`launch` is its id).
    """
    return State(
        messages=[],
        session_id=session_id,
        turn=turn,
        leg=leg or turn,
        person=person,
        text=text,
        launch=launch,
        parsed={},
        calls=[],
        results=[],
        asking="",
        iterations=0,
        calls_made=0,
        refusals=0,
        seen={},
        failed=None,
        ending=None,
    )


def pack(update: Mapping[str, Any]) -> Kept:
    """A state, or what changes of one, as channels."""
    rest = {key: value for key, value in update.items() if key != "messages"}
    return Kept(messages=update.get("messages", []), rest=rest)


def unpack(kept: Mapping[str, Any]) -> State:
    """The flat state again."""
    return cast(State, {"messages": kept["messages"], **kept["rest"]})


def ending(kind: EventKind, data: dict[str, Any]) -> dict[str, Any]:
    return {"kind": str(kind), "data": data}
