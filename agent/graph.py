"""The agent as a state machine: hear, think, judge, act, observe, until there is an answer."""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from agent.nodes import Nodes
from agent.ports import Ports
from agent.state import State
from mlops.constraints import Intent

Graph = Any
"""A compiled LangGraph graph over `State`."""


def after_route(state: State) -> str:
    """Short ways for what needs no thinking."""
    if state["ending"]:
        return END
    if state["calls"]:
        return "gate"
    shortcuts = {Intent.GREETING: "greeting", Intent.DATASETS: "dataset_question"}
    return shortcuts.get(Intent(state["parsed"]["intent"]), "think")


def after_think(state: State) -> str:
    return END if state["ending"] else "gate"


def after_gate(state: State) -> str:
    return "approval" if state["asking"] else "act"


def after_approval(state: State) -> str:
    return END if state["ending"] else "act"


def after_observe(state: State) -> str:
    return END if state["ending"] else "think"


def build(ports: Ports, saver: BaseCheckpointSaver[Any]) -> Graph:
    """The graph; its thread is the session, its state outlives the process."""
    nodes = Nodes(ports)
    graph = StateGraph(State)

    graph.add_node("route", nodes.route)
    graph.add_node("greeting", nodes.greeting)
    graph.add_node("dataset_question", nodes.dataset_question)
    graph.add_node("think", nodes.think)
    graph.add_node("gate", nodes.gate)
    graph.add_node("approval", nodes.approval)
    graph.add_node("act", nodes.act)
    graph.add_node("observe", nodes.observe)

    graph.add_edge(START, "route")
    graph.add_conditional_edges(
        "route", after_route, ["greeting", "dataset_question", "think", "gate", END]
    )
    graph.add_edge("greeting", END)
    graph.add_edge("dataset_question", "gate")
    graph.add_conditional_edges("think", after_think, ["gate", END])
    graph.add_conditional_edges("gate", after_gate, ["approval", "act"])
    graph.add_conditional_edges("approval", after_approval, ["act", END])
    graph.add_edge("act", "observe")
    graph.add_conditional_edges("observe", after_observe, ["think", END])

    return graph.compile(checkpointer=saver)
