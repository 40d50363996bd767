"""The conversations of a workbench without a back end: logs that a test writes, and who reads them."""

from datetime import UTC, datetime
from typing import Any

from mlops.aws.sessions import Session, Turn
from mlops.errors import OpsError, RefusedError
from mlops.events import Event, EventKind, Head, chain


class FakeConversations:
    """Every call raises `failure` when one is set."""

    def __init__(self) -> None:
        self.failure: OpsError | None = None
        self.log: dict[str, list[Event]] = {}
        self.streamed: list[Event] = []
        self.running: Turn | None = None
        self.calls: list[tuple[str, Any]] = []
        self.titles: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.note = ""
        self._sessions = 0

    def model_note(self) -> str:
        return self.note

    def new_session(self) -> str:
        self._check()
        self._sessions += 1
        return f"session-{self._sessions}"

    def sessions(self, search: str = "") -> list[Session]:
        self._check()
        found = [self._session(name) for name in reversed(self.log)]
        return [s for s in found if search.lower() in s.title.lower()]

    def session(self, session_id: str) -> Session:
        self._check()
        return self._session(session_id)

    def rename(self, session_id: str, title: str) -> Session:
        self.calls.append(("rename", (session_id, title)))
        self.titles[session_id] = title
        return self._session(session_id)

    def share(self, session_id: str) -> str:
        self.links[session_id] = f"token-{len(self.calls)}"
        self.calls.append(("share", session_id))
        return self.links[session_id]

    def stop_sharing(self, session_id: str) -> None:
        del self.links[session_id]

    def shared(self, session_id: str, token: str) -> Session:
        if self.links.get(session_id) != token:
            raise RefusedError("not_shared", "This link does not share anything, or no longer.")
        return self._session(session_id)

    def tell(self, session_id: str) -> str | None:
        self.calls.append(("tell", session_id))
        return None

    def events(self, session_id: str, after: int = 0, token: str | None = None) -> list[Event]:
        self._check()
        if token is not None:
            self.shared(session_id, token)
        return [e for e in self.log.get(session_id, []) if e.seq > after]

    def tokens(self, session_id: str, after: int = 0, token: str | None = None) -> list[Event]:
        return [e for e in self.streamed if e.session == session_id and e.seq > after]

    def running_turn(self, session_id: str, token: str | None = None) -> Turn | None:
        turn = self.running
        return turn if turn and turn.session_id == session_id else None

    def add(self, session: str, turn: str, kind: EventKind, data: dict[str, Any]) -> Event:
        """Appends to the log as the event log would."""
        events = self.log.setdefault(session, [])
        head = Head(seq=events[-1].seq, hash=events[-1].hash) if events else Head()
        draft = Event(
            session=session, seq=0, turn=turn, kind=kind, at=datetime.now(UTC), data=data
        )
        events.append(chain(head, draft))
        return events[-1]

    def _session(self, name: str) -> Session:
        events = self.log[name]
        title = next((e.data["text"] for e in events if e.kind is EventKind.USER), "")
        return Session(
            session_id=name,
            person="local",
            title=self.titles.get(name, title),
            updated_at=events[-1].at,
            turn=self.running_turn(name),
            is_shared=name in self.links,
            events=events[-1].seq,
        )

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
