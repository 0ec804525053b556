"""What a terminal would have overwritten, in a pipe."""

from __future__ import annotations

import pytest

from fusionq.cli.folding import Folder
from tests.cli.conftest import Cli
from tests.cli.jobs import finished

BAR = "\r  0%|    |\r 50%|##  |\r100%|####|\n"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("one\ntwo\n", "one\ntwo\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        (BAR, "100%|####|\n"),
        ("a\n" + BAR + "b", "a\n100%|####|\nb"),
        ("10 %\r20 %\r", "20 %"),
        ("\x1b[2K\x1b[1A\x1b[32mgreen\x1b[0m\n", "\x1b[32mgreen\x1b[0m\n"),
        ("\r\n\n", "\n\n"),
        ("", ""),
    ],
)
def test_lines_are_told_as_they_stood_last_however_they_come_in(text: str, folded: str):
    for size in (1, 2, 3, 7, 1000):
        folder = Folder()
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert "".join([folder.feed(piece) for piece in pieces]) + folder.end() == folded


def test_whole_lines_are_told_at_once():
    folder = Folder()
    assert folder.feed("one\ntw") == "one\n"
    assert folder.feed("o\n") == "two\n"


def test_logs_in_a_pipe_are_folded_and_so_are_the_last_lines_of_a_failed_job(cli: Cli, store):
    from fusionq.spec.states import Outcome

    finished(store, "aaa", Outcome.FAILED, reason="odd", text=f"one\n{BAR}two\n")
    assert cli("logs", "aaa").out == "one\n100%|####|\ntwo\n"
    assert cli("logs", "aaa", "-f").out == "one\n100%|####|\ntwo\n"
    assert cli("status", "aaa").out.endswith("    one\n    100%|####|\n    two\nfailed: odd\n")
