"""Runs the graph, one thread for each session; a run that a dead process left can be continued."""

from typing import Any, NamedTuple

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from agent.graph import build
from agent.ports import Ports
from agent.state import State

_RECURSION_LIMIT = 100


class Kept(NamedTuple):
    """A thread's last state; `is_halfway` when a node was still to run, `waits` for a person."""

    state: State
    is_halfway: bool
    waits: bool


class Threads:
    """Safe to share between turns of different sessions."""

    def __init__(self, ports: Ports, saver: BaseCheckpointSaver[Any]):
        self._graph = build(ports, saver)

    def begin(self, state: State, durability: str) -> State:
        """A new turn, to its end or to an interrupt."""
        return self._invoke(state["session_id"], state, durability)

    def decide(self, session_id: str, plan_id: str) -> State:
        """Goes on where a decision was waited for."""
        return self._invoke(session_id, Command(resume={"plan_id": plan_id}), "sync")

    def go_on(self, session_id: str) -> State:
        """From the checkpoint."""
        return self._invoke(session_id, None, "sync")

    def kept(self, session_id: str) -> Kept | None:
        """None as well for what an earlier version left in another shape."""
        snapshot = self._graph.get_state(_config(session_id))
        if "turn" not in snapshot.values:
            return None
        waits = bool(snapshot.interrupts)
        return Kept(snapshot.values, bool(snapshot.next) and not waits, waits)

    def waits(self, session_id: str) -> bool:
        """For a person's decision on a plan."""
        kept = self.kept(session_id)
        return kept is not None and kept.waits

    def waiting_turn(self, session_id: str, plan_id: str) -> str | None:
        """The turn that waits for a decision on this plan."""
        kept = self.kept(session_id)
        waits = kept is not None and kept.waits and kept.state["asking"] == plan_id
        return kept.state["turn"] if kept and waits else None

    def _invoke(self, session_id: str, given: Any, durability: str) -> State:
        return self._graph.invoke(given, _config(session_id), durability=durability)


def _config(session_id: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": session_id}, "recursion_limit": _RECURSION_LIMIT}
