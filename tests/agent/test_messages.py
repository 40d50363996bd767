"""Messages that keep to the model's protocol, whatever broke off before; results that stay small."""

from agent import messages as talk
from tests.agent.fakes import calls, says


def test_a_finished_conversation_needs_no_closing():
    assert talk.closed([]) == []
    assert talk.closed([talk.user("hi"), says("Hello.")]) == []


def test_words_without_answer_are_closed():
    assert [m["role"] for m in talk.closed([talk.user("hi")])] == ["assistant"]


def test_an_abandoned_call_gets_an_error_as_result():
    asked = calls(("launch_sagemaker_training", {"plan_id": "p"}), ("get_costs", {}))
    results, words = talk.closed([talk.user("train"), asked])
    blocks = [block["toolResult"] for block in results["content"]]
    assert [(b["toolUseId"], b["status"]) for b in blocks] == [("c0", "error"), ("c1", "error")]
    assert words["role"] == "assistant"


def test_small_results_stay_as_they_are():
    assert talk.shorten({"a": [1, 2]}) == ({"a": [1, 2]}, "")


def test_large_results_are_cut_with_a_note():
    rows = [{"name": f"d{i}", "text": "y" * 300} for i in range(1000)]
    cut, note = talk.shorten({"datasets": rows, "total": 1000})
    assert talk.size(cut) <= talk.MAX_RESULT_CHARS
    assert cut["datasets"] == rows[: len(cut["datasets"])] and cut["total"] == 1000
    assert str(len(cut["datasets"])) in note
    block = talk.results_message([{"id": "c", "ok": True, "data": cut, "note": note}])
    assert block["content"][0]["toolResult"]["content"][1] == {"text": note}


def test_long_texts_are_cut():
    cut, note = talk.shorten({"log": "z" * 50_000})
    assert len(cut["log"]) < 2_000 and note


def test_what_cannot_be_cut_is_left_out():
    cut, note = talk.shorten({f"k{i}": i for i in range(10_000)})
    assert talk.size(cut) < 200 and note
