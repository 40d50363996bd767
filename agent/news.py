"""Tells a person how a run ended that nobody has told them of, from its stored report.

No model is asked here: the words are the policy's.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from agent import messages as talk
from agent.journal import Journal, LeaseLostError
from agent.messages import Message
from agent.state import State, ending
from mlops.aws.clients import Aws
from mlops.aws.plans import Plans
from mlops.aws.reports import end_of_run
from mlops.dialogue.conversation import Action, Call, assistant_message
from mlops.events import TOLD, EventKind
from mlops.report_words import ended

_LOG = logging.getLogger(__name__)


class News:
    """Reads reports of one person's plans."""

    def __init__(self, aws: Aws, journal: Journal, clock: Callable[[], datetime]):
        self._aws = aws
        self._journal = journal
        self._clock = clock

    def catch_up(self, state: State, plan_ids: Sequence[str]) -> list[Message]:
        """Tells the ends of these plans' runs before the person's next words are heard. One that
        cannot be read now stays untold: it must not stand in the way of the conversation."""
        heard: list[Message] = []
        for plan_id in plan_ids:
            try:
                heard += self._told(state, plan_id)
            except LeaseLostError:
                raise
            except Exception:
                _LOG.exception("the end of %s cannot be read", plan_id)
        return heard

    def told(self, state: State) -> State:
        """A state whose ending is the end of its plan's run in plain words."""
        end = end_of_run(self._aws, state["report"], state["person"], "", self._clock)
        answer = ending(EventKind.ANSWER, {"text": ended(end)})
        return {**state, "ending": about_plan(answer, state["report"])}

    def _told(self, state: State, plan_id: str) -> list[Message]:
        end = end_of_run(self._aws, plan_id, state["person"], "", self._clock)
        turn, text = Plans(self._aws).get(plan_id).turn, ended(end)
        answer = about_plan(ending(EventKind.ANSWER, {"text": text}), plan_id)
        key = f"{TOLD}{plan_id}"
        self._journal.note(state, EventKind.ANSWER, answer["data"], key, turn)
        return _messages(plan_id, end.model_dump(mode="json"), text)


def about_plan(answer: dict[str, Any], plan_id: str) -> dict[str, Any]:
    """The ending of a turn, marked as the end of this plan's run in words."""
    return {**answer, "data": {**answer["data"], "plan_id": plan_id}}


def _messages(plan_id: str, report: dict[str, object], text: str) -> list[Message]:
    """The report and our words on it, as the messages of a model that had called the tool."""
    call = Call(tool="get_training_report", arguments={"plan_id": plan_id})
    asked = assistant_message(Action(calls=(call,), text=""), f"told-{plan_id}")
    shown, note = talk.shorten(report)
    result = {"id": talk.calls_of(asked)[0]["id"], "ok": True, "data": shown, "note": note}
    said = talk.noted(f"The run of {plan_id} has ended.")
    return [said, asked, talk.results_message([result]), talk.assistant(text)]
