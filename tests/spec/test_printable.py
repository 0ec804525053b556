"""Text of others, made safe."""

from __future__ import annotations

import json

import pytest

from fusionq.spec.printable import one_line, printable, printable_data, text_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("точность 精度 R² \U0001f600", "точность 精度 R² \U0001f600"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("caf\udce9", r"caf\xe9"),
        ("half \ud83d", r"half \ud83d"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("\x9b2J \x0e\x1f\x7f", r"\x9b2J \x0e\x1f\x7f"),
        ("a\u202eb\u2066c\u200fd", r"a\u202eb\u2066c\u200fd"),
    ],
)
def test_what_a_terminal_obeys_and_no_encoding_takes_is_escaped(text: str, shown: str):
    assert printable(text) == shown
    assert printable(text).encode()


def test_a_long_text_becomes_one_short_line():
    assert one_line("first\n  second\x1b\n", 50) == r"first second\x1b"
    cut = one_line("x" * 3_000_000, 100)
    assert (len(cut), cut[-2:]) == (100, "x…")


def test_data_is_made_safe_throughout():
    data = {"a\x1b": ["b\udce9", {"c": "d\x07"}], "n": 1.5, "none": None}
    assert printable_data(data) == {r"a\x1b": [r"b\xe9", {"c": r"d\x07"}], "n": 1.5, "none": None}
    assert json.dumps(printable_data(data), ensure_ascii=False).encode()


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


def test_an_error_that_cannot_be_asked_says_nothing():
    assert text_of(Mute()) == ""
    assert text_of(ValueError("said")) == "said"
