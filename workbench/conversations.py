"""The part of the workbench that talks: turns, their log, and whose conversations are read by whom.

Only the owner reads and changes a conversation; whoever has its share token may read along.
"""

import secrets
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

from agent.model_check import ModelCheck
from agent.turns import Turns
from mlops.aws.clients import Aws, translated
from mlops.aws.events import EventLog
from mlops.aws.sessions import MAX_TITLE_CHARS, Session, Sessions, Turn
from mlops.errors import RefusedError, RequestError
from mlops.events import Event
from mlops.settings import Settings
from workbench.following import Follower
from workbench.transcripts import Transcript
from workbench.wording import checked, encodable

_LATEST = 200


class Conversations:
    """Those of one person."""

    def __init__(self, aws: Aws, turns: Turns, clock: Callable[[], datetime]):
        self._aws = aws
        self._turns = turns
        self._clock = clock
        self._log = EventLog(aws, clock)
        self._follower = Follower(aws, clock)
        self._model = ModelCheck(aws)
        self._own: set[str] = set()

    @property
    def settings(self) -> Settings:
        return self._aws.settings

    def model_note(self) -> str:
        """What is wrong with the model, in one line; empty while all is well, or not known yet."""
        found = self._model.look()
        return found.line if found is not None else ""

    def new_session(self) -> str:
        return f"session-{uuid.uuid4().hex[:16]}"

    @translated()
    def sessions(self, search: str = "") -> list[Session]:
        """My latest, newest first; or those of all with these words in their title."""
        words = search.casefold().split()
        found = Sessions(self._aws).of_person(self.settings.person, None if words else _LATEST)
        return [s for s in found if all(word in s.title.casefold() for word in words)]

    @translated()
    def session(self, session_id: str) -> Session:
        """RequestError when there is no such conversation, RefusedError when it is not mine."""
        return Sessions(self._aws).of(self.settings.person, session_id)

    @translated()
    def rename(self, session_id: str, title: str) -> Session:
        wanted = " ".join(encodable(title).split())
        if not wanted or len(wanted) > MAX_TITLE_CHARS:
            limit = f"between 1 and {MAX_TITLE_CHARS} characters"
            raise RequestError("bad_title", f"A title has {limit}.")
        self.session(session_id)
        Sessions(self._aws).rename(session_id, self.settings.person, wanted)
        return self.session(session_id)

    @translated()
    def share(self, session_id: str) -> str:
        """A token with which anybody may read along, told this once; an earlier one ends."""
        self.session(session_id)
        token = secrets.token_urlsafe(24)
        Sessions(self._aws).share(session_id, self.settings.person, token)
        return token

    @translated()
    def stop_sharing(self, session_id: str) -> None:
        self.session(session_id)
        Sessions(self._aws).share(session_id, self.settings.person, None)

    @translated()
    def shared(self, session_id: str, token: str) -> Session:
        """Somebody's conversation, by the token that they gave; RefusedError without a good one."""
        found = Sessions(self._aws).shared(session_id, token)
        if found is None:
            raise RefusedError("not_shared", "This link does not share anything, or no longer.")
        return found

    @translated()
    def transcript(self, session_id: str) -> Transcript:
        """All of a conversation, to be kept elsewhere."""
        session = self.session(session_id)
        return Transcript(
            session=session_id,
            title=session.title,
            person=session.person,
            exported_at=self._clock(),
            events=tuple(self._log.tail(session_id)),
        )

    def ask(self, text: str, session_id: str | None = None) -> str:
        """Starts a turn and returns its id at once; RefusedError while another one runs there."""
        return self._turns.submit(session_id or self.new_session(), checked(text))

    @translated()
    def tell(self, session_id: str) -> str | None:
        """Has the end of a run put into words that nobody was told yet: the turn's id, if any.

        To be called by whoever watches a conversation, as often as they look.
        """
        return self._turns.tell(session_id)

    @translated()
    def events(self, session_id: str, after: int = 0, token: str | None = None) -> list[Event]:
        """What was logged after a sequence number, oldest first; of others with a share token."""
        self._require_readable(session_id, token)
        return self._log.tail(session_id, after)

    @translated()
    def tokens(self, session_id: str, after: int = 0, token: str | None = None) -> list[Event]:
        """Streamed text of a running turn; its numbers are apart from those of `events`."""
        self._require_readable(session_id, token)
        return self._log.tail_tokens(session_id, after)

    @translated()
    def last_event(self, session_id: str) -> int:
        """The sequence number from which `follow` shows only what is new."""
        self._require_own(session_id)
        return self._log.head(session_id).seq

    @translated()
    def running_turn(self, session_id: str, token: str | None = None) -> Turn | None:
        """None as well when the process of the turn has died."""
        self._require_readable(session_id, token)
        return self._follower.running_turn(session_id)

    def follow(
        self,
        session_id: str,
        turn: str,
        after: int = 0,
        plan_id: str | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> Iterator[Event]:
        """Events as they come, to the turn's end; with `plan_id`, to that plan's report or error.

        `on_idle` is called while nothing happens. FaultError when the turn's process died.
        """
        with translated():
            self._require_own(session_id)
        return self._follower.follow(session_id, turn, after, plan_id, on_idle)

    def _require_readable(self, session_id: str, token: str | None) -> None:
        if token is None:
            self._require_own(session_id)
        else:
            self.shared(session_id, token)

    def _require_own(self, session_id: str) -> None:
        """Asked once per conversation, as its owner never changes."""
        if session_id not in self._own:
            if Sessions(self._aws).require_owner(session_id, self.settings.person):
                self._own.add(session_id)
