"""How a turn ends: an answer, an error, or code's own words, as what changes of the state."""

from typing import Any

from agent import messages as talk
from agent.bedrock import ASK_AGAIN
from agent.state import State, Update, ending
from mlops.dialogue import answers
from mlops.dialogue.conversation import Action, Call, assistant_message, read
from mlops.dialogue.exchanges import ToolOutcome, unmended
from mlops.dialogue.phrases import say
from mlops.errors import FaultError, OpsError
from mlops.events import EventKind


def answer(before: list[dict[str, Any]], text: str) -> Update:
    return {
        "messages": [*before, talk.assistant(text)],
        "calls": [],
        "ending": ending(EventKind.ANSWER, {"text": text}),
    }


def end_with_error(before: list[dict[str, Any]], error: OpsError) -> Update:
    return end_with_failure(before, error.as_data())


def end_with_failure(before: list[dict[str, Any]], error: dict[str, Any]) -> Update:
    return {
        "messages": [*before, talk.assistant(answers.failure(error))],
        "calls": [],
        "ending": ending(EventKind.ERROR, error),
    }


def stuck(why: str) -> FaultError:
    return FaultError("agent_stuck", f"The turn was ended: {why}", (ASK_AGAIN,))


def last_words(state: State, text: str, wrong: list[str]) -> dict[str, Any]:
    """The event that ends the turn with the model's text; `wrong` are its unconfirmed numbers.

    It is an error as long as a failure stands, whatever the text says.
    """
    data: dict[str, Any] = {"text": text}
    if wrong:
        numbers = ", ".join(wrong)
        data["text"] += "\n\n" + words(state, "unconfirmed", numbers=numbers)
        data["unconfirmed"] = wrong
    failed = state["failed"]
    if failed is None:
        return ending(EventKind.ANSWER, data)
    return ending(EventKind.ERROR, {**failed["data"], **data})


def end_of_launch(before: list[dict[str, Any]], state: State) -> Update:
    """A plan approved after its turn had ended needs no thinking."""
    result = state["results"][0]
    if not result["ok"]:
        return end_with_failure(before, result["data"])
    return answer(before, answers.launched(result["data"], read(state["messages"]).language))


def failure_of(state: State) -> dict[str, Any] | None:
    """What went wrong in this turn and nothing has made good, with the results that just came."""
    before = ToolOutcome.model_validate(state["failed"]) if state["failed"] else None
    results = (
        ToolOutcome(tool=r["tool"], arguments={}, ok=r["ok"], data=r["data"])
        for r in state["results"]
    )
    failed = unmended(results, before)
    return failed.model_dump() if failed else None


def words(state: State, phrase: str, **facts: object) -> str:
    return say(phrase, read(state["messages"]).language, **facts)


def ask_for(before: list[dict[str, Any]], state: State, call: Call) -> Update:
    """A call that code asks for, as the message that a model would have sent."""
    message = assistant_message(Action(calls=(call,), text=""), f"{state['leg']}-0")
    return {"messages": [*before, message], "calls": talk.calls_of(message)}
