"""Text on its way to the screen: words at once, numbers when they are confirmed, inventions never."""

import pytest

from agent.speaking import Speaking
from mlops.dialogue.claims import known

KNOWN = known(['{"test_f1": 0.9117, "cost_usd": "2.30"}'])


def spoken(text: str, step: int = 3) -> list[str]:
    shown: list[str] = []
    speaking = Speaking(KNOWN, shown.append)
    for at in range(0, len(text), step):
        speaking(text[at : at + step])
    speaking.end()
    return shown


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Your model is ready.",
        "Your model is ready. F1 is 0.9117, that is 91.2 %.\n\nIt cost $2.30",
        "Das kostet 2,30 $. Noch etwas? Nein!\n- eins\n- zwei",
        "x" * 5_000,
    ],
)
def test_what_is_confirmed_is_all_said(text: str, step: int):
    assert "".join(spoken(text, step)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Your model reached an F1 of 0.9731 and cost $4.20.", "Your model reached an "),
        ("It is done. It cost four dollars. Good.", "It is done. It cost "),
        ("F1 is 0.9117. Precision is 0.99. Fine. $2.30.", "F1 is 0.9117. Precision is "),
        ("Das sind siebenundneunzig Prozent", "Das sind "),
        ("97%", ""),
        ("Done. F1 score: 97 of 100; 97%", "Done. "),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_from_an_invented_number_on_nothing_is_said(text: str, shown: str, step: int):
    assert "".join(spoken(text, step)) == shown


def test_words_do_not_wait_for_the_end():
    shown: list[str] = []
    speaking = Speaking(KNOWN, shown.append)
    speaking("Your model is rea")
    assert "".join(shown) == "Your model is "
    speaking("dy, with 0.9117")
    assert "".join(shown) == "Your model is ready, with "
