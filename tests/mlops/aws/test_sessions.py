"""One turn at a time per session; a lease that ran out can be taken over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from mlops.aws.clients import Aws
from mlops.aws.sessions import LEASE, Sessions
from tests.factories import NOW

SOON, LATE = NOW + timedelta(seconds=1), NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
def sessions(aws: Aws) -> Sessions:
    return Sessions(aws)


def claim(sessions: Sessions, owner: str = "me", now=NOW, session: str = "s") -> bool:
    text = "Train NER on cier"
    return sessions.claim(session, "ada", f"turn of {owner}", text, "Train NER", owner, now)


def test_a_claimed_session_shows_its_turn(sessions: Sessions):
    assert claim(sessions)
    session = sessions.get("s")
    assert session is not None and session.turn is not None
    assert (session.title, session.person, session.updated_at) == ("Train NER", "ada", NOW)
    assert (session.turn.owner, session.turn.lease_until) == ("me", NOW + LEASE)
    assert session.turn.text == "Train NER on cier"


def test_a_running_turn_keeps_others_out(sessions: Sessions):
    assert claim(sessions)
    assert not claim(sessions, "you", SOON)
    assert not claim(sessions, "me", SOON)


def test_of_many_claims_at_once_one_wins(sessions: Sessions):
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: claim(sessions, f"w{n}"), range(16)))
    assert sum(won) == 1


def test_a_dead_owner_is_replaced(sessions: Sessions):
    assert claim(sessions)
    assert claim(sessions, "you", LATE)
    assert not sessions.renew("s", "me", LATE)
    assert not sessions.release("s", "me")
    assert sessions.renew("s", "you", LATE)


def test_a_heartbeat_keeps_the_lease(sessions: Sessions):
    assert claim(sessions)
    assert sessions.renew("s", "me", LATE)
    assert not claim(sessions, "you", LATE + timedelta(seconds=1))


@pytest.mark.parametrize("micro", [0, 1, 999_999])
def test_leases_compare_by_time_not_by_spelling(sessions: Sessions, micro: int):
    """isoformat leaves a fraction of zero out."""
    start = NOW.replace(microsecond=0)
    assert claim(sessions, now=start)
    until = start + LEASE
    assert not claim(sessions, "you", until - timedelta(microseconds=1))
    assert claim(sessions, "you", until + timedelta(microseconds=micro + 1))


def test_a_released_session_is_free_and_keeps_its_first_title(sessions: Sessions):
    claim(sessions)
    assert sessions.release("s", "me")
    session = sessions.get("s")
    assert session is not None and session.turn is None
    sessions.claim("s", "ada", "t2", "And now?", "And now?", "me", SOON)
    session = sessions.get("s")
    assert session is not None and session.title == "Train NER"


def test_a_persons_sessions_newest_first(sessions: Sessions):
    for n, session in enumerate(["a", "b", "c"]):
        claim(sessions, now=NOW + timedelta(minutes=n), session=session)
    sessions.claim("x", "grace", "t", "hi", "hi", "me", NOW)
    assert [s.session_id for s in sessions.of_person("ada")] == ["c", "b", "a"]
    assert [s.session_id for s in sessions.of_person("ada", limit=1)] == ["c"]
    assert sessions.get("nobody") is None
