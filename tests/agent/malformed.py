"""Answers that no model should give, by name."""

from typing import Any

from tests.agent.converse_server import says, uses

LAUNCH, PLAN_TOOL = "launch_sagemaker_training", "plan_training"


def raw(text: str) -> Any:
    return uses((PLAN_TOOL, text))


def ids(*given: str) -> Any:
    answer = uses(*[("get_costs", {}) for _ in given])
    for block, id in zip(answer["content"], given, strict=True):
        block["toolUse"]["toolUseId"] = id
    return answer


MALFORMED: dict[str, Any] = {
    "half of JSON": raw('{"dataset": "cier'),
    "a list": raw("[1, 2]"),
    "a number": raw("7"),
    "not a number": raw('{"dataset": NaN}'),
    "a huge number": raw('{"dataset": 1' + "0" * 400 + "}"),
    "twice the same key": raw('{"dataset": "a", "dataset": "b"}'),
    "wrong types": uses((PLAN_TOOL, {"dataset": {"a": [1]}, "instance_type": 7})),
    "nested deep": raw('{"dataset": ' + "[" * 5_000 + "]" * 5_000 + "}"),
    "nested": raw('{"dataset": ' + "[" * 25 + "]" * 25 + "}"),
    "a megabyte": uses((PLAN_TOOL, {"dataset": "x" * 1_000_000})),
    "control characters": uses((PLAN_TOOL, {"dataset": "a\x00b\x1b[2J\r\n\u202e"})),
    "halves of characters": uses((PLAN_TOOL, {"dataset": "a\ud800b"})),
    "injected everything": uses(
        ("get_costs", {"person": "bob", "__proto__": {}, "session_id": "x"})
    ),
    "an unknown tool": uses(("delete_everything", {"sure": True})),
    "a shadowed name": uses((f"evil___{LAUNCH}", {"plan_id": "plan-1"})),
    "a name with a path": uses(("../../launch", {})),
    "no name": uses(("", {})),
    "a very long name": uses(("x" * 10_000, {})),
    "an id used twice": ids("same", "same"),
    "no id": ids("", ""),
    "an id that is no id": ids("a b#c\n", "x" * 500),
    "tools at the end of a turn": {**uses(("get_costs", {})), "stopReason": "end_turn"},
    "a reason nobody knows": {**says("hm"), "stopReason": "because"},
    "cut off in a call": {**uses(("get_costs", {}), (LAUNCH, "")), "stopReason": "max_tokens"},
    "cut off in a sentence": says("The cheapest is", stop="max_tokens"),
    "nothing at all": {"content": []},
    "white space": says(" \n\t "),
    "five megabytes": says("x" * 5_000_000),
    "not UTF-8": says(b"\xff\xfe\x00"),
    "half a character": says("a\ud800b\x00c"),
    "markup": says("<script>alert(1)</script> [x](javascript:alert(1)) ![](http://evil/x.png)"),
    "only a thought": {"content": uses(thought="hmm")["content"], "stopReason": "end_turn"},
}
