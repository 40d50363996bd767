"""Leases of a process: the heartbeat outlives every failure, and what it could not renew is not held."""

from collections.abc import Iterator

import pytest

from agent.leases import Leases
from mlops.aws.sessions import LEASE, Sessions
from tests.agent.world import World, clock
from tests.faults import Fault, on_the_wire
from tests.patience import eventually

SECONDS = LEASE.total_seconds()


class Ticks:
    """A stopwatch by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def leases(world: World, ticks: Ticks) -> Iterator[Leases]:
    made = _leases(world, ticks, heartbeat_seconds=3600)
    yield made
    made.close()


def test_a_lease_that_was_not_renewed_in_its_time_is_not_held(
    world: World, leases: Leases, ticks: Ticks
):
    leases.claim(world.session, "turn-1", "text", "title", "me")
    ticks.now = SECONDS - 0.1
    assert leases.held(world.session, "turn-1")
    ticks.now = SECONDS
    assert not leases.held(world.session, "turn-1")


def test_time_counts_from_before_the_request(world: World, ticks: Ticks):
    """An answer that came late is about a lease that began to run when it was asked for."""

    class Slow(Sessions):
        def claim(self, *args, **more):
            claimed = super().claim(*args, **more)
            ticks.now += SECONDS
            return claimed

    leases = Leases(Slow(world.aws), world.aws.settings.person, clock, 3600, ticks)
    leases.claim(world.session, "turn-1", "text", "title", "me")
    assert not leases.held(world.session, "turn-1")
    leases.close()


def test_a_turn_that_ended_frees_its_session_and_one_that_was_given_up_does_not(
    world: World, leases: Leases
):
    sessions = Sessions(world.aws)
    for free, end in ((True, leases.release), (False, leases.give_up)):
        leases.claim(world.session, "turn-1", "text", "title", "me")
        end(world.session, "turn-2")
        assert leases.held(world.session, "turn-1")
        end(world.session, "turn-1")
        assert not leases.held(world.session, "turn-1")
        session = sessions.get(world.session)
        assert session is not None and (session.turn is None) == free


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.SERVER_ERROR, Fault.THROTTLE])
def test_a_request_that_failed_does_not_end_the_heartbeat(
    world: World, ticks: Ticks, fault: Fault
):
    leases = _leases(world, ticks)
    with on_the_wire() as wire:
        leases.claim(world.session, "turn-1", "text", "title", "me")
        wire.arm("dynamodb.UpdateItem", 1, fault)
        eventually(lambda: wire.met)
        ticks.now = SECONDS
        eventually(lambda: leases.held(world.session, "turn-1"))
    leases.close()


def test_nothing_that_happens_to_one_lease_ends_the_heartbeat_of_the_others(
    world: World, ticks: Ticks
):
    class Broken(Sessions):
        def renew(self, session_id, owner, now):
            if owner == "broken":
                raise KeyError(session_id)
            return super().renew(session_id, owner, now)

    leases = Leases(Broken(world.aws), world.aws.settings.person, clock, 0.01, ticks)
    other = f"{world.session}-other"
    leases.claim(world.session, "turn-1", "text", "title", "broken")
    leases.claim(other, "turn-2", "text", "title", "me")
    for _ in range(3):
        ticks.now += SECONDS
        eventually(lambda: leases.held(other, "turn-2"))
    assert not leases.held(world.session, "turn-1")
    leases.close()


def _leases(world: World, ticks: Ticks, heartbeat_seconds: float = 0.01) -> Leases:
    person = world.aws.settings.person
    return Leases(Sessions(world.aws), person, clock, heartbeat_seconds, ticks)
