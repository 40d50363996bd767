"""A person's inbox: what waits, has finished, failed or is nearly spent; and a test of the outside channels."""

import uuid
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, translated
from mlops.aws.notices import Notices, Stored
from mlops.aws.notify import own_channels, send
from mlops.aws.plans import Plans
from mlops.notices import Notice, NoticeKind, person_inbox, team_inbox

SHOWN = 50


class Trial(BaseModel):
    """What came of one test message; `problem` is empty when it was taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    problem: str


class Inbox:
    """Mine and my team's; what one of a team has read is read for all of it."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime]):
        self._aws = aws
        self._clock = clock
        self._notices = Notices(aws)

    @translated()
    def latest(self, limit: int = SHOWN) -> list[Stored]:
        """Newest first; a plan that was decided meanwhile waits no longer, and counts as read."""
        settings = self._aws.settings
        inboxes = [person_inbox(settings.person)]
        inboxes += [team_inbox(settings.team)] if settings.team else []
        found = self._notices.latest(inboxes, limit)
        decided = Plans(self._aws).decided([plan_id for s in found if (plan_id := _waits(s))])
        return [self._as_read(s) if _waits(s) in decided else s for s in found]

    @translated()
    def mark_read(self, notice: Notice) -> None:
        """Harmless to repeat."""
        self._notices.mark_read(notice, self._clock())

    @translated()
    def mark_all_read(self) -> int:
        """How many were unread."""
        unread = [stored.notice for stored in self.latest() if stored.read_at is None]
        for notice in unread:
            self._notices.mark_read(notice, self._clock())
        return len(unread)

    def test(self) -> list[Trial]:
        """Sends one message by each channel that this process has; nothing of it is stored."""
        now = self._clock()
        notice = Notice(
            inbox=person_inbox(self._aws.settings.person),
            notice_id=f"{now.isoformat()}#test#{uuid.uuid4().hex[:8]}",
            kind=NoticeKind.TEST,
            at=now,
            title="A test of llmops notifications",
            text="If you can read this, notices reach you here.",
        )
        return [
            Trial(channel=channel, problem=send(self._aws, channel, notice))
            for channel in own_channels(self._aws)
        ]

    def _as_read(self, stored: Stored) -> Stored:
        now = self._clock()
        self._notices.mark_read(stored.notice, now)
        return stored.model_copy(update={"read_at": now})


def _waits(stored: Stored) -> str | None:
    """The plan that an unread notice says is waiting."""
    notice = stored.notice
    unread = stored.read_at is None and notice.kind is NoticeKind.APPROVAL
    return notice.plan_id if unread else None
