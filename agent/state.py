"""What the graph carries from node to node, and what a checkpoint holds: JSON primitives only."""

import operator
from typing import Annotated, Any, TypedDict

from mlops.events import EventKind


class State(TypedDict):
    """`messages` accumulate over a session; everything else belongs to the running turn.

    calls: [{"id", "tool", "arguments"}]; results: [{"id", "tool", "ok", "data", "note"}];
    seen: how often each call was asked for; failed: {"tool", "error"} not yet mended;
    ending: {"kind", "data"} of the event that ends the turn.
    """

    messages: Annotated[list[dict[str, Any]], operator.add]
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


def ending(kind: EventKind, data: dict[str, Any]) -> dict[str, Any]:
    return {"kind": str(kind), "data": data}
