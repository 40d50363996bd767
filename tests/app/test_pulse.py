"""What may still move in a conversation, and what streams."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.pulse import is_unfinished, is_untold, streaming
from mlops.events import Event, EventKind


def test_an_end_is_untold_until_an_answer_is_about_it() -> None:
    end = (EventKind.REPORT, {"plan_id": "plan-1"})
    failed = (EventKind.ERROR, {"plan_id": "plan-2", "message": "It failed."})
    told = (EventKind.ANSWER, {"plan_id": "plan-1", "text": "It passed."})
    other = (EventKind.ANSWER, {"text": "Hello."})
    refusal = (EventKind.ERROR, {"code": "budget", "message": "No."})
    assert is_untold(logged([end]))
    assert is_untold(logged([end, other]))
    assert is_untold(logged([end, told, failed]))
    assert not is_untold(logged([end, told, refusal]))


def logged(said: list[tuple[EventKind, dict[str, Any]]]) -> list[Event]:
    return [
        Event(session="s", seq=n, turn="t", kind=kind, at=datetime.now(UTC), data=data)
        for n, (kind, data) in enumerate(said, 1)
    ]


def test_a_turn_is_unfinished_until_it_says_done() -> None:
    said: list[tuple[EventKind, dict[str, Any]]] = [(EventKind.USER, {"text": "hello"})]
    assert is_unfinished(logged(said))
    assert not is_unfinished(logged([*said, (EventKind.DONE, {})]))


def test_streamed_text_stops_showing_when_its_thought_is_logged() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)

    def event(seq: int, kind: EventKind, text: str, turn: str = "t") -> Event:
        at = start + timedelta(seconds=seq)
        return Event(session="s", seq=seq, turn=turn, kind=kind, at=at, data={"text": text})

    tokens = [event(n, EventKind.TOKEN, f"{n} ") for n in (1, 2, 4)]
    tokens.append(event(5, EventKind.TOKEN, "other", "u"))
    assert streaming(tokens, [], "t") == "1 2 4 "
    assert streaming(tokens, [event(3, EventKind.THINKING, "1 2")], "t") == "4 "
