"""An inbox without a back end, for tests of the screens."""

from datetime import timedelta

from mlops.aws.notices import Stored
from mlops.errors import OpsError
from mlops.notices import Notice, NoticeKind
from tests.factories import NOW


class FakeInbox:
    """Holds what a test put in; raises `failure` when one is set."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.failure: OpsError | None = None

    def add(self, kind: NoticeKind, title: str, text: str, session_id: str | None = None) -> None:
        """A new one on top."""
        number = len(self.stored)
        notice = Notice(
            inbox="inbox#person#local",
            notice_id=f"n{number}",
            kind=kind,
            at=NOW + timedelta(minutes=number),
            title=title,
            text=text,
            session_id=session_id,
        )
        self.stored.insert(0, Stored(notice=notice, read_at=None, deliveries={}))

    def latest(self, limit: int = 50) -> list[Stored]:
        if self.failure is not None:
            raise self.failure
        return self.stored[:limit]

    def mark_read(self, notice: Notice) -> None:
        self.stored = [
            s.model_copy(update={"read_at": NOW}) if s.notice == notice else s for s in self.stored
        ]

    def mark_all_read(self) -> int:
        self.stored = [stored.model_copy(update={"read_at": NOW}) for stored in self.stored]
        return len(self.stored)
