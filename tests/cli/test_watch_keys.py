"""The keys of `watch`: how they are read from a terminal, and what they do."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Iterator

import pytest

from fusionq.cli import pressed
from fusionq.cli.pressed import Keys
from fusionq.cli.watch_controls import Controls
from fusionq.client.board import Board
from fusionq.errors import NotFoundError
from fusionq.store.store import Store
from tests.cli.jobs import finished, queued

LONG_S = 60.0


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Keys, int]]:
    """The keys of a terminal, and where they are pressed."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with Keys() as keys:
            yield keys, ours
    os.close(ours)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("k", [pressed.UP]),
        ("\x1b[A\x1bOBq", [pressed.UP, pressed.DOWN, pressed.LEAVE]),
        ("\x1b", [pressed.ESCAPE]),
        ("\x1b[5~j", ["", pressed.DOWN]),
        ("\x1b[1;5Cj", ["", pressed.DOWN]),
        ("\x1bOPj", ["", pressed.DOWN]),
        ("\x1bxj", ["", pressed.DOWN]),
        ("\x1b\x1b[A", [pressed.ESCAPE, pressed.UP]),
    ],
)
def test_what_a_terminal_sends_is_one_key_each(keys: tuple[Keys, int], sent: str, read: list[str]):
    reader, there = keys
    os.write(there, sent.encode())
    assert [reader.wait(LONG_S) for _ in read] == read


def test_letters_are_text_while_somebody_types(keys: tuple[Keys, int]):
    reader, there = keys
    os.write(there, "kö\x7f\x1b[3~\r".encode())
    typed = [reader.wait(LONG_S, is_typing=True) for _ in range(5)]
    assert typed == ["k", "ö", pressed.ERASE, "", pressed.ENTER]


def test_ctrl_c_is_noted_wherever_it_comes_and_a_second_one_is_raised(keys: tuple[Keys, int]):
    reader, _ = keys
    signal.raise_signal(signal.SIGINT)
    assert reader.is_interrupted
    assert reader.wait(LONG_S) == ""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def board(store: Store) -> Board:
    finished(store, "over", name="mnist")
    queued(store, "one", name="digits")
    queued(store, "two", name="digits")
    return Board(store)


def press(controls: Controls, *keys: str) -> None:
    for key in keys:
        controls.press(key)


def ids(board: Board) -> list[str]:
    return [row.id for row in board.snapshot().rows]


def test_the_jobs_that_hold_what_is_typed_are_left(board: Board):
    controls = Controls(board, lambda job_id: None)
    press(controls, pressed.FILTER, *"mnisx", pressed.ERASE, "t")
    assert ids(board) == ["over"]
    assert controls.view.prompt == "filter: mnist"
    press(controls, pressed.ESCAPE)
    assert ids(board) == ["one", "two", "over"]
    assert (controls.view.prompt, controls.is_typing) == ("", False)


def test_the_filter_is_named_as_long_as_it_lasts(board: Board):
    controls = Controls(board, lambda job_id: None)
    press(controls, pressed.FILTER, *"over", pressed.ENTER)
    for key in (pressed.OUTPUT, pressed.HELP, pressed.DOWN):
        press(controls, key)
        assert controls.view.prompt == "filter: over"
    press(controls, pressed.CANCEL)
    assert controls.view.prompt == "mnist (over) has ended"
    press(controls, pressed.UP)
    assert controls.view.prompt == "filter: over"


def test_a_job_is_cancelled_by_a_yes_alone_and_one_that_is_gone_is_told(board: Board):
    cancelled = []

    def cancel(job_id: str) -> None:
        cancelled.append(job_id)
        raise NotFoundError(f"no job {job_id}")

    controls = Controls(board, cancel)
    press(controls, pressed.UP, pressed.UP, pressed.CANCEL)
    assert controls.view.prompt == "cancel digits (one)? y/n"
    press(controls, "n")
    assert (cancelled, controls.view.prompt) == ([], "")
    press(controls, pressed.CANCEL, "y")
    assert cancelled == ["one"]
    assert controls.view.prompt == "one was not cancelled: no job one"
