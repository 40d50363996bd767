"""One turn at a time per session; a lease that ran out can be taken over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from mlops.aws.clients import Aws
from mlops.aws.events import EventLog
from mlops.aws.sessions import LEASE, Sessions
from mlops.decisions import OPERATIONS
from mlops.errors import NotYoursError, OpsError, RequestError
from mlops.events import EventKind
from tests.factories import NOW
from tests.faults import Fault, Wire, on_the_wire

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


def test_of_two_people_who_begin_a_conversation_at_once_one_has_it(sessions: Sessions):
    def begin(person: str) -> bool | str:
        try:
            return sessions.claim("s", person, "t", "hi", "hi", person, NOW)
        except NotYoursError as error:
            return error.code

    people = ["ada", "eve"] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(enumerate(people), pool.map(begin, people), strict=True))
    [winner] = [person for (_, person), won in answers.items() if won is True]
    others = {answer for (_, person), answer in answers.items() if person != winner}
    assert others == {"not_yours"}
    session = sessions.get("s")
    assert session is not None and session.turn is not None
    assert (session.person, session.turn.owner) == (winner, winner)


def test_a_conversation_stays_its_owners_after_a_turn(sessions: Sessions):
    assert claim(sessions)
    assert sessions.release("s", "me")
    with pytest.raises(NotYoursError):
        sessions.claim("s", "eve", "t", "hi", "hi", "eve", LATE)


def test_what_only_rules_have_written_is_free_to_claim(sessions: Sessions, aws: Aws):
    EventLog(aws, lambda: NOW).append("s", "t", EventKind.THINKING, {"text": "?"})
    assert claim(sessions)


@pytest.mark.parametrize("name", [OPERATIONS, "health", "inbox", ".", ".."])
def test_logs_of_the_system_are_nobodys(sessions: Sessions, name: str):
    for act in (
        lambda: claim(sessions, session=name),
        lambda: sessions.open(name, "ada", "Mine", NOW),
        lambda: sessions.rename(name, "ada", "Mine"),
    ):
        with pytest.raises(RequestError) as caught:
            act()
        assert caught.value.code == "bad_session"
    with pytest.raises(NotYoursError):
        sessions.require_owner(name, "ada")


def test_an_interrupted_turn_is_found_however_old_it_is(sessions: Sessions):
    assert claim(sessions, "dead", session="old")
    assert claim(sessions, "done", session="ended")
    assert sessions.release("ended", "done")
    assert claim(sessions, "busy", session="busy")
    assert sessions.renew("busy", "busy", NOW + timedelta(days=30))
    assert sessions.claim("theirs", "eve", "t", "hi", "hi", "eve", NOW)
    later = NOW + timedelta(days=30)
    assert [s.session_id for s in sessions.interrupted("ada", later)] == ["old"]
    assert claim(sessions, "next", later, "old")
    assert not sessions.release("old", "dead")
    assert sessions.interrupted("ada", later) == []
    later += LEASE + timedelta(seconds=1)
    assert [s.session_id for s in sessions.interrupted("ada", later)] == ["busy", "old"]
    assert sessions.release("old", "next")
    assert [s.session_id for s in sessions.interrupted("ada", later)] == ["busy"]


def test_a_claim_whose_answer_was_lost_is_made_once(sessions: Sessions):
    """boto3 sends it again; it is not taken for somebody else's."""
    with on_the_wire() as wire:
        _lose_first_answer(wire)
        assert claim(sessions)
        assert wire.met


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.THROTTLE])
def test_whatever_goes_wrong_on_the_way_is_an_error_of_ours(
    sessions: Sessions, operation: str, fault: Fault
):
    acts = {
        "UpdateItem": lambda: sessions.renew("s", "me", NOW),
        "TransactWriteItems": lambda: sessions.release("s", "me"),
    }
    assert claim(sessions)
    with on_the_wire() as wire:
        wire.arm(f"dynamodb.{operation}", 1, fault)
        with pytest.raises(OpsError):
            acts[operation]()
        assert wire.met


def test_a_write_that_meets_another_one_waits(sessions: Sessions, monkeypatch: pytest.MonkeyPatch):
    conflicts = [2]

    class Busy:
        def transact_write_items(self, **request):
            if not conflicts[0]:
                return real.transact_write_items(**request)
            conflicts[0] -= 1
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": ""},
                    "CancellationReasons": reasons,
                },  # type: ignore[typeddict-unknown-key]
                "TransactWriteItems",
            )

    waits: list[float] = []
    sessions._pause = waits.append
    assert claim(sessions)
    real = sessions._db
    monkeypatch.setattr(sessions, "_db", Busy())
    assert sessions.release("s", "me")
    assert len(waits) == 2


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


def test_a_long_request_is_a_title_of_whole_words(sessions: Sessions):
    sessions.open("s", "ada", f"Train {'wonderful ' * 10}", NOW)
    session = sessions.get("s")
    assert session is not None and session.title == f"Train{' wonderful' * 7}…"


def test_a_persons_sessions_newest_first(sessions: Sessions):
    for n, session in enumerate(["a", "b", "c"]):
        claim(sessions, now=NOW + timedelta(minutes=n), session=session)
    sessions.claim("x", "grace", "t", "hi", "hi", "me", NOW)
    assert [s.session_id for s in sessions.of_person("ada")] == ["c", "b", "a"]
    assert [s.session_id for s in sessions.of_person("ada", limit=1)] == ["c"]
    assert [s.session_id for s in sessions.of_person("ada", limit=None)] == ["c", "b", "a"]
    assert sessions.get("nobody") is None


def _lose_first_answer(wire: Wire) -> None:
    """Of the next transaction: it is carried out, and sent again."""
    send = wire._send

    def lose(session, request):
        answer = send(session, request)
        if not wire.met and b"TransactWriteItems" in bytes(request.headers["X-Amz-Target"]):
            wire.met = True
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer

    wire._send = lose
