"""What a terminal may have of a job's output."""

from __future__ import annotations

import pytest

from fusionq.cli.tables import lines_of
from fusionq.cli.terminal_text import TerminalText, coloured_line

EVIL = "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;owned\x07 \x0e\x9b2J\x1b[?1049h\x1b[5;5H"
TAME = "\\x1b[2J\x1b[31mred\x1b[0m \\x1b]0;owned\\x07 \\x0e\\x9b2J\\x1b[?1049h\\x1b[5;5H"


def test_colours_stay_and_everything_else_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert TerminalText().feed(EVIL + "\n") == TAME + "\n"
    assert coloured_line(EVIL) == TAME


def test_a_progress_bar_stays_a_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    bar = "\r10 %\x1b[K\r20 %\n\x1b[A\r"
    assert TerminalText().feed(bar) == bar
    assert "\x1b" not in coloured_line(bar)


def test_who_wants_no_colours_gets_plain_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert TerminalText().feed("\r\x1b[31mred\x1b[0m\x1b[2J\n") == "\rred\\x1b[2J\n"
    assert coloured_line("\x1b[31mred\x1b[0m\x1b[2J") == "red\\x1b[2J"


def test_an_escape_in_two_pieces_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = TerminalText()
    assert [text.feed("a\x1b"), text.feed("[3"), text.feed("1mb\x1b["), text.end()] == [
        "a",
        "",
        "\x1b[31mb",
        "\\x1b[",
    ]


def test_a_cell_of_a_table_keeps_its_colour_alone():
    line = lines_of(("A",), [["\x1b[31mr\x1b[0m\n\x1b[2J\x9bx"]])[1]
    assert line.rstrip() == "\x1b[31mr\x1b[0m \\x1b[2J\\x9bx"
