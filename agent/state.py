"""What the graph carries from node to node, and what a checkpoint holds: JSON primitives only."""

from typing import Annotated, Any, NotRequired, TypedDict

from mlops.events import EventKind

_ANEW: dict[str, Any] = {"role": "anew", "content": []}


def after(
    before: list[dict[str, Any]], kept: list[dict[str, Any]], more: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """As an update of the messages `before`: more of them, after `kept` where that is another list."""
    return more if kept is before else [_ANEW, *kept, *more]


def grown(before: list[dict[str, Any]], more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with an update: appended, unless it takes their place."""
    return more[1:] if more[:1] == [_ANEW] else before + more


class State(TypedDict):
    """`messages` accumulate over a session; everything else belongs to the running turn.

    calls: [{"id", "tool", "arguments"}]; results: [{"id", "tool", "ok", "data", "note"}];
    seen: how often each call was asked for; failed: the tool's outcome that nothing has made good yet;
    ending: {"kind", "data"} of the event that ends the turn; report: the plan whose end is told;
    news: messages about ends of runs that the person has not heard of;
    reasoner: the model whose thoughts the messages hold.
    """

    messages: Annotated[list[dict[str, Any]], grown]
    session_id: str
    turn: str
    leg: str
    person: str
    text: str
    launch: str
    report: str
    news: list[dict[str, Any]]
    reasoner: NotRequired[str]
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
    session_id: str,
    turn: str,
    person: str,
    text: str,
    leg: str = "",
    launch: str = "",
    report: str = "",
) -> State:
    """The start of a turn: the conversation stays, the last turn's rest goes.

    A leg is one run of a turn; another one launches a plan approved later (`launch` is its id), or
    puts the end of its run into words (`report`).
    """
    return State(
        messages=[],
        session_id=session_id,
        turn=turn,
        leg=leg or turn,
        person=person,
        text=text,
        launch=launch,
        report=report,
        news=[],
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
