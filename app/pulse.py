"""Whether anything in a conversation may still move, and what a running turn is saying: pure, from its log."""

from collections.abc import Iterable, Sequence

from app.blocks import Message, PlanCard
from mlops.events import Event, EventKind


def is_followed(messages: Iterable[Message]) -> bool:
    """True while an approved plan has neither report nor error: something may still move."""
    cards = (b for m in messages for b in m.blocks if isinstance(b, PlanCard))
    return any(card.status in ("approved", "queued") and not card.ended for card in cards)


def is_unfinished(events: Sequence[Event]) -> bool:
    """True while the latest turn has not said that it is done, even when its process died."""
    if not events:
        return False
    turn = events[-1].turn
    return all(e.kind is not EventKind.DONE for e in events if e.turn == turn)


def is_untold(events: Iterable[Event]) -> bool:
    """True while the end of a run, a report or an error, has not been put into words."""
    ended: set[str] = set()
    for event in events:
        plan_id = str(event.data.get("plan_id") or "")
        if event.kind in (EventKind.REPORT, EventKind.ERROR):
            ended.add(plan_id)
        elif event.kind is EventKind.ANSWER:
            ended.discard(plan_id)
    return bool(ended - {""})


def streaming(tokens: Iterable[Event], events: Sequence[Event], turn: str) -> str:
    """Text of a running turn that streamed in since its last finished thought or answer."""
    settled = (EventKind.THINKING, EventKind.ANSWER, EventKind.TOOL_CALL, EventKind.ERROR)
    ends = [e.at for e in events if e.turn == turn and e.kind in settled]
    since = max(ends, default=None)
    fresh = (t for t in tokens if t.turn == turn and (since is None or t.at > since))
    return "".join(str(t.data["text"]) for t in fresh)
