"""The board on the whole screen: that it fits, what it shows, and the keys."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from types import TracebackType

import pytest
from rich.console import Console

from fusionq.cli.board_screen import View, screen_of
from fusionq.client.board import Board
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, serving, started
from tests.cli.test_status import PROGRESS
from tests.support import wait_until

SIZES = [(50, 12), (80, 24), (120, 40), (200, 50)]
LONG_S = 30.0
STYLES = re.compile(r"\x1b\[[0-9;]*m")
# Whoever leads a session and opens a terminal has it as its own: then Ctrl-C on it is for nobody else.
AS_ITS_OWN = """
import os, sys
os.open(os.ttyname(0), os.O_RDWR)
os.execv(sys.executable, [sys.executable, "-m", "fusionq", *sys.argv[1:]])
"""


def point(epoch: int) -> dict[str, object]:
    values = {"train_loss": 1 / epoch, "test_loss": 1.1 / epoch, "train_accuracy": 1 - 1 / epoch}
    return {"kind": "epoch", "epoch": epoch, "num_epochs": 9, "values": values, "duration_s": 1.0}


@pytest.fixture
def busy(store: Store) -> Store:
    serving(store)
    for number in range(30):
        finished(store, f"over{number}", Outcome.FAILED, reason="no " * 40)
    started(store, "train", name="mnist [bold]")
    store.jobs.note_progress("train", PROGRESS)
    store.streams.append_points("train", [point(epoch) for epoch in range(1, 6)])
    store.streams.append_log("train", 1, 0, 20, "10 %\r100 %\nlast [line]\n")
    queued(store, "later")
    return store


def drawn(board: Board, width: int, height: int, note: str = "") -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), highlight=False)
    with console.capture() as capture:
        console.print(screen_of(board.snapshot(), width, height, View(), note))
    return capture.get().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_full_board_fills_the_screen_and_no_more(busy: Store, width: int, height: int):
    lines = drawn(Board(busy), width, height)
    assert len(lines) == height
    assert "1 running" in lines[0]
    assert "another job" in lines[-1]
    assert any("curves" in line or "└" in line for line in lines) or height < 24


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_an_empty_board_says_what_to_do(store: Store, width: int, height: int):
    lines = drawn(Board(store), width, height)
    shown = "\n".join(lines)
    assert len(lines) == height
    assert "fusionq worker" in shown
    assert "none yet; submit one" in shown


def test_the_chosen_job_is_shown_with_its_curves_and_its_last_lines(busy: Store):
    shown = "\n".join(drawn(Board(busy), 120, 50))
    assert "mnist [bold] train" in shown
    assert "loss" in shown
    assert "accuracy" in shown
    assert "last [line]" in shown
    assert "\n100 %  " in shown
    assert "\n10 %  " not in shown


def test_of_many_jobs_the_chosen_one_is_among_those_that_are_shown(busy: Store):
    board = Board(busy, "over0")
    lines = drawn(board, 80, 24)
    assert any("over0" in line and "failed" in line for line in lines)
    assert any("jobs, " in line and "to 32" in line for line in lines)


def test_what_is_wrong_stands_at_the_top(busy: Store):
    assert "Redis is away" in drawn(Board(busy), 80, 24, "Redis is away; trying again")[0]


def test_a_pipe_is_referred_to_status(cli: Cli):
    done = cli("watch")
    assert done.code == 2
    assert "fusionq status --json" in done.err


class Terminal:
    """A call on a terminal of its own."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        env = {**os.environ, "TERM": "xterm-256color", **environ}
        env.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", AS_ITS_OWN, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def await_text(self, text: str) -> None:
        """Until this is written, in whatever colours."""
        written, deadline = "", time.monotonic() + LONG_S
        while text not in STYLES.sub("", written):
            assert time.monotonic() < deadline, written
            if select.select([self._ours], [], [], 0.1)[0]:
                written += os.read(self._ours, 65_536).decode(errors="replace")

    def await_end(self) -> int:
        """Read to the end, so that it does not wait for us. Returns its exit code."""
        deadline = time.monotonic() + LONG_S
        try:
            while select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.read(self._ours, 65_536)
        except OSError:  # Linux's way to say that nobody writes any more
            pass
        return self.process.wait(1)


@pytest.fixture
def terminal(cli: Cli, busy: Store) -> Iterator[Terminal]:
    with Terminal("watch") as terminal:
        terminal.await_text("mnist [bold]")
        yield terminal


def test_an_event_is_seen_and_q_leaves(terminal: Terminal, store: Store):
    queued(store, "fresh", name="brand-new")
    terminal.await_text("brand-new")
    terminal.press("q")
    assert terminal.await_end() == 0


def test_the_arrow_keys_turn_to_another_job(terminal: Terminal):
    terminal.press("\x1b[B")
    terminal.await_text("tiny later")
    terminal.press("k")
    terminal.await_text("mnist [bold] train")


def test_the_output_fills_the_screen_and_help_lists_the_keys(terminal: Terminal):
    terminal.press("\r")
    terminal.await_text("last [line]")
    terminal.press("?")
    terminal.await_text("the output of the job on the whole screen")
    terminal.press("\x1b")
    terminal.await_text("workers")


def test_a_job_is_cancelled_after_a_question(terminal: Terminal, store: Store):
    terminal.press("\x1b[B")
    terminal.await_text("tiny later")
    terminal.press("c")
    terminal.await_text("cancel tiny (later)? y/n")
    terminal.press("n")
    terminal.press("c")
    terminal.press("y")
    wait_until(lambda: store.jobs.get("later").outcome, timeout_s=LONG_S)
    assert store.jobs.get("train").outcome is None


def test_what_is_typed_filters_the_jobs(terminal: Terminal):
    terminal.press("/")
    terminal.await_text("filter:")
    for letter in "over7":
        terminal.press(letter)
    terminal.await_text("filter: over7")
    terminal.press("\r")
    terminal.press("\x1b[B")  # without the filter this is another job
    terminal.await_text("tiny over7")


def test_ctrl_c_leaves_too(terminal: Terminal):
    terminal.press("\x03")
    assert terminal.await_end() == 0


def test_a_terminal_without_unicode_gets_other_keys(cli: Cli, busy: Store):
    with Terminal("watch", LC_ALL="C") as terminal:
        terminal.await_text("k j another job")
