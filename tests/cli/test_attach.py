"""The terminal of whoever attaches to a job: what is read from it, and that it is as before afterwards."""

from __future__ import annotations

import os
import pty
import signal
import sys
import termios
from collections.abc import Iterator

import pytest

from fusionq.cli.standard_input import USUAL_SIZE, StandardInput, own_terminal
from fusionq.errors import StateError
from fusionq.store.command_input import WindowSize
from fusionq.store.commands import Terminal
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.cli.jobs import queued, started

CTRL_C = b"\x03"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other side of a terminal that is stdin, of 40 lines with 100 characters."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


def state() -> list[object]:
    return [termios.tcgetattr(sys.stdin), signal.getsignal(signal.SIGWINCH), signal.getsignal(signal.SIGTERM)]


@pytest.mark.usefixtures("terminal")
def test_a_command_gets_a_terminal_like_this_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "vt220")
    assert own_terminal() == Terminal("vt220", WindowSize(40, 100))
    termios.tcsetwinsize(sys.stdin, (0, 0))  # as where nobody knows it
    assert own_terminal().window == USUAL_SIZE


def test_every_key_is_read_as_it_is_and_so_is_the_size(terminal: int):
    before = state()
    with StandardInput(is_raw=True) as source:
        pieces = iter(source)
        assert next(pieces) == WindowSize(40, 100)
        os.write(terminal, CTRL_C)
        assert next(pieces) == CTRL_C
        termios.tcsetwinsize(terminal, (50, 120))
        signal.raise_signal(signal.SIGWINCH)
        assert next(pieces) == WindowSize(50, 120)
        source.stop()
        assert list(pieces) == []
    assert state() == before


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_terminal_as_it_was(number: signal.Signals):
    before = state()
    with pytest.raises(SystemExit) as leaving, StandardInput(is_raw=True):
        signal.raise_signal(number)
    assert leaving.value.code == 128 + number
    assert state() == before


def test_what_is_no_terminal_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(theirs, b"all")
        os.close(theirs)
        with StandardInput(is_raw=False) as source:
            assert list(source) == [b"all"]


@pytest.mark.parametrize("arguments", [("attach", "aaa"), ("exec", "-it", "aaa", "--", "sh")])
def test_without_a_terminal_nothing_is_asked(cli: Cli, store, arguments: tuple[str, ...]):
    started(store, "aaa")
    done = cli(*arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "needs a terminal" in done.err


@pytest.mark.usefixtures("terminal")
def test_a_job_that_does_not_run_is_named_in_one_line(cli: Cli, store):
    queued(store, "aaa")
    done = cli("attach", "aaa")
    assert (done.code, done.out) == (7, "")
    assert done.err.startswith("fusionq: aaa is queued, and a command runs beside a running job only")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("end", [StateError("aaa stopped"), SystemExit(143)])
def test_what_ends_a_shell_is_told_behind_its_prompt(
    cli: Cli, store, monkeypatch: pytest.MonkeyPatch, end: BaseException
):
    def prompt(store: Store, sender: object, record: object, words: object, write, **_: object) -> None:
        write(b"$ ")
        raise end

    started(store, "aaa")
    monkeypatch.setattr("fusionq.client.command.run_command", prompt)
    done = cli("attach", "aaa")
    assert done.out == "$ "
    assert done.err.startswith("\n")
