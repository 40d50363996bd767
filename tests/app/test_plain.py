"""Words of others reach a screen as words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.plain import at_least, escape, prose, seconds, usd


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/a.png)",
        "[l](http://evil.example)",
        "<img src=x>",
        ":red[x]",
        ":material/home:",
        "$x^2$",
        "# head",
        "a|b",
        "[ref]: http://evil.example",
    ],
)
def test_markup_does_not_survive_in_either_form(text: str) -> None:
    for safe in (escape(text), prose(text)):
        assert re.search(r"(?<!\\)[!\[\]<:$|#(]", safe) is None
        assert "http://" not in safe.replace("\\", "")


@given(st.text())
def test_escaped_text_is_one_line_with_every_special_character_behind_a_backslash(
    text: str,
) -> None:
    safe = escape(text)
    assert "\n" not in safe
    plain = safe.replace("\\\\", "")
    for position, character in enumerate(plain):
        if character in "`*_[]<>$:|#!":
            assert plain[position - 1] == "\\"


@given(st.text())
def test_prose_never_fails_and_keeps_every_line(text: str) -> None:
    assert len(prose(text).splitlines()) >= len(text.splitlines()) - 1


def test_prose_keeps_lists_bold_and_code() -> None:
    text = "There are **2** datasets:\n- `cier`: a_b\n  - nested\n1. first"
    lines = [line.strip() for line in prose(text).splitlines()]
    assert lines[0] == "There are **2** datasets\\:"
    assert lines[1] == "- `cier`\\: a\\_b"
    assert prose(text).splitlines()[2].startswith("    - nested")
    assert lines[3] == "1. first"


def test_bare_addresses_are_broken_up_invisibly() -> None:
    for address in ("www.evil.example", "HTTPS://evil.example", "me@b.c"):
        assert "\u2060" in escape(address)
        assert escape(address).replace("\u2060", "").replace("\\", "") == address


def test_a_command_is_copied_as_it_was_written() -> None:
    command = "llmops train --name x --uri=https: a@b a -> b <= c"
    assert escape(command).replace("\\", "") == command
    assert "`llmops approve --max-usd 3 https://a.b`" in prose(
        "Approve it: `llmops approve --max-usd 3 https://a.b`"
    )


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\x00", "\x1b", "\x7f"])
def test_control_and_direction_characters_are_made_visible(hidden: str) -> None:
    for safe in (escape(f"a{hidden}b"), prose(f"a{hidden}b"), prose(f"`a{hidden}b`")):
        assert hidden not in safe
        assert "\ufffd" in safe


def test_a_paragraph_after_a_list_does_not_join_its_last_item() -> None:
    lines = [line.strip() for line in prose("Ways:\n- one\n- two\nThen ask again").splitlines()]
    assert lines == ["Ways\\:", "- one", "- two", "", "Then ask again"]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.014081", "$0.0141"),
        ("0.0140", "$0.0140"),
        ("0.02", "$0.02"),
        ("10", "$10.00"),
        ("10.001", "$10.01"),
        ("1500", "$1,500.00"),
        ("0.000001", "$0.000001"),
    ],
)
def test_a_ceiling_is_never_shown_smaller_than_it_is(amount: str, shown: str) -> None:
    assert usd(amount) == shown


@pytest.mark.parametrize(
    ("left_usd", "shown"), [("49.99984", "$49.99"), ("50", "$50.00"), ("-0.5", "-$0.50")]
)
def test_what_is_left_is_never_shown_larger_than_it_is(left_usd: str, shown: str) -> None:
    assert at_least(left_usd) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 s"), (-3, "0 s"), (119.4, "119 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_seconds_for_people(count: float, shown: str) -> None:
    assert seconds(count) == shown
