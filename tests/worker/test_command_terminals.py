"""A command beside a job that takes input, from a pipe or at a terminal."""

from __future__ import annotations

import queue
import subprocess
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Self

import pytest

from fusionq.client.client import Client
from fusionq.client.command_input import BytesInput, InputSource
from fusionq.errors import StateError, StoreUnavailableError
from fusionq.store import command_input, keys
from fusionq.store.command_input import WindowSize
from fusionq.store.commands import Terminal
from fusionq.worker import command_runner, job_commands
from tests.support import is_gone, wait_until

LONG_S = 60.0
SMALL = Terminal("vt100", WindowSize(40, 100))
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Typist(InputSource):
    """Types what it is told to, and no end."""

    def __init__(self) -> None:
        self.has_begun = False
        self._pieces: queue.Queue[bytes | WindowSize | None] = queue.Queue()

    def type(self, piece: bytes | WindowSize) -> None:
        self._pieces.put(piece)

    def stop(self) -> None:
        self._pieces.put(None)

    def __enter__(self) -> Self:
        self.has_begun = True
        return self

    def __iter__(self) -> Iterator[bytes | WindowSize]:
        while (piece := self._pieces.get()) is not None:
            yield piece


@pytest.fixture
def typist() -> Typist:
    return Typist()


def at_terminal(
    world: SimpleNamespace, typist: Typist, script: str, answers: dict[bytes, Callable[[], object]]
) -> int:
    """Run a script at a terminal; each answer is given once, when its text has been printed."""
    left = dict(answers)

    def look(piece: bytes) -> None:
        world.output.append(piece)
        for text in [text for text in left if text in printed(world)]:
            left.pop(text)()

    return world.run("sh", "-c", script, on_output=look, source=typist, terminal=SMALL)


def printed(world: SimpleNamespace) -> bytes:
    return b"".join(world.output)


def test_input_comes_whole_and_so_does_its_end(world):
    data = bytes(range(256)) * 1000
    assert world.run("sh", "-c", "cat; exit 3", source=BytesInput(data)) == 3
    assert printed(world) == data


def test_a_command_that_reads_little_ends_all_the_same(world, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_input, "MOST_PIECES", 2)
    most = []

    def take(piece: bytes) -> None:
        world.output.append(piece)
        most.append(max(map(store.redis.llen, store.redis.keys(keys.command_input("*"))), default=0))

    assert world.run("head", "-c", "100000", on_output=take, source=BytesInput(bytes(10_000_000))) == 0
    assert len(printed(world)) == 100_000
    assert max(most) <= 2


def test_what_is_typed_is_echoed_and_read(world, typist):
    typist.type(b"hello\r")
    script = 'read line; echo "got $line"; stty size; echo $TERM; test -t 0 -a -t 1 -a -t 2 && exit 4'
    assert at_terminal(world, typist, script, {}) == 4
    assert printed(world) == b"hello\r\ngot hello\r\n40 100\r\nvt100\r\n"


def test_ctrl_c_goes_to_the_command_and_ctrl_d_is_the_end_of_its_input(world, typist):
    answers = {b"begun": lambda: typist.type(CTRL_C), b"caught": lambda: typist.type(CTRL_D)}
    script = "trap 'echo caught; cat; exit 5' INT; echo begun; sleep 60 & wait"
    assert at_terminal(world, typist, script, answers) == 5
    assert b"^C" in printed(world)


def test_the_end_of_a_shell_is_that_of_its_jobs_in_the_background(world, typist):
    script = "(trap '' HUP; exec sleep 60 <&- >&- 2>&-) & echo $! begun; exec sh"
    assert at_terminal(world, typist, script, {b"begun": lambda: typist.type(CTRL_D)}) == 0
    assert is_gone(int(printed(world).split()[0]))


def test_a_window_that_changes_is_told(world, typist):
    script = "trap 'stty size; exit 6' WINCH; echo begun; sleep 60 & wait"
    answers = {b"begun": lambda: typist.type(WindowSize(50, 120))}
    assert at_terminal(world, typist, script, answers) == 6
    assert b"50 120" in printed(world)


def test_a_terminal_without_input_is_one(world):
    assert world.run("sh", "-c", "tty -s && stty size", terminal=SMALL) == 0
    assert printed(world) == b"40 100\r\n"


def test_the_end_of_the_attempt_is_that_of_the_shell(world, typist):
    script = "echo $$ begun; exec sleep 60"
    with pytest.raises(StateError, match="aaa stopped, and the command with it"):
        at_terminal(world, typist, script, {b"begun": world.attempt.commands.end})
    wait_until(lambda: is_gone(int(printed(world).split()[0])), timeout_s=LONG_S)


def test_whoever_leaves_hangs_up(world, typist, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_runner, "INTERRUPTED_S", LONG_S)

    def leave() -> None:
        raise SystemExit(143)

    script = "trap '' INT; echo $$ begun; exec sleep 60"
    with pytest.raises(SystemExit):
        at_terminal(world, typist, script, {b"begun": leave})
    wait_until(lambda: is_gone(int(printed(world).split()[0])), timeout_s=LONG_S)


def test_where_no_command_can_run_nothing_is_read(world, typist):
    world.node.running.remove(world.attempt)
    with pytest.raises(StateError, match="does not run on box any more"):
        at_terminal(world, typist, "true", {})
    assert not typist.has_begun


@pytest.mark.parametrize("side", ["send", "receive"])
def test_input_that_may_be_lost_ends_the_command(world, store, monkeypatch: pytest.MonkeyPatch, side: str):
    def fail(*_: object) -> None:
        raise StoreUnavailableError("Redis is away")

    monkeypatch.setattr(store.command_input, side, fail)
    with pytest.raises((StateError, StoreUnavailableError), match="Redis is away"):
        world.run("sh", "-c", "exec sleep 60", source=BytesInput(b"x"))


def test_a_command_that_is_killed_before_it_begins_is_one_that_was_killed(
    world, monkeypatch: pytest.MonkeyPatch
):
    start = job_commands._start_guardian

    def start_and_kill(terminal: Terminal | None) -> subprocess.Popen[bytes]:
        process = start(terminal)
        process.kill()
        process.wait()
        return process

    monkeypatch.setattr(job_commands, "_start_guardian", start_and_kill)
    assert world.run("cat", source=BytesInput(b"x")) == 137


def test_a_pipe_that_nobody_reads_ends_who_writes_to_it(world):
    assert world.run("sh", "-c", "yes | head -n 1") == 0
    assert printed(world) == b"y\n"


@pytest.mark.usefixtures("home")
def test_a_job_from_python_takes_bytes_as_input(world, store, monkeypatch: pytest.MonkeyPatch):
    with Client(store.url) as client:
        monkeypatch.setattr(client, "_sender", world.sender)
        assert client.job("aaa").exec(["cat"], world.output.append, input=b"all of it") == 0
        monkeypatch.undo()
    assert printed(world) == b"all of it"
