"""A command beside a job: what it gets, what comes back, and that it ends."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusionq.client import command as client
from fusionq.client.command import run_command as ask
from fusionq.errors import StateError, UsageError
from fusionq.store import keys
from fusionq.worker import command_runner
from fusionq.worker.job_commands import JobCommands, environ_of
from tests.support import is_gone, submit, wait_until
from tests.worker.beside import orders

LONG_S = 60.0
ENDLESS = "echo $$; exec sleep 1000"


def test_its_bytes_and_its_exit_code_come_back(world, tmp_path: Path):
    script = r'echo $COLOUR $FUSIONQ_JOB $PWD; printf "\377\000" >&2; read line || exit 9'
    assert world.run("sh", "-c", script) == 9
    assert b"".join(world.output) == f"green aaa {tmp_path}\n".encode() + b"\xff\x00"


def test_what_cannot_be_run_says_so_as_a_shell_does(world):
    assert world.run("no-such-command") == 127
    assert b"no command 'no-such-command'" in b"".join(world.output)
    assert world.run("/etc/passwd") == 126
    assert world.run("sh", "-c", "kill -9 $$") == 137


def test_a_large_output_waits_for_whoever_takes_it(world, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fusionq.store.transfers.MOST_PIECES", 2)
    most = []

    def take(piece: bytes) -> None:
        most.append(max(map(store.redis.llen, store.redis.keys(keys.transfer("*"))), default=0))
        world.output.append(piece)

    assert world.run("head", "-c", "1000000", "/dev/zero", on_output=take) == 0
    assert sum(map(len, world.output)) == 1_000_000
    assert max(most) <= 3, "two, and the word that it was all"


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have more files open than select() knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2000)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_worker_with_many_open_files_reads_it_all_the_same(world, monkeypatch: pytest.MonkeyPatch):
    start = world.attempt.commands.start

    def start_and_move(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        process = start(command, **options)
        output = os.fdopen(fcntl.fcntl(process.stdout, fcntl.F_DUPFD_CLOEXEC, 1100), "rb")
        process.stdout.close()
        process.stdout = output
        return process

    monkeypatch.setattr(world.attempt.commands, "start", start_and_move)
    assert world.run("echo", "hello") == 0
    assert b"".join(world.output) == b"hello\n"


def test_whoever_leaves_ends_the_command_and_what_it_started(world):
    def leave(piece: bytes) -> None:
        world.output.append(piece)
        if b"".join(world.output).count(b"\n") == 2:
            raise KeyboardInterrupt

    script = "env -i setsid sh -c 'echo $$; exec sleep 1000' & wait; echo never"
    with pytest.raises(KeyboardInterrupt):
        world.run("sh", "-c", f"echo $$; {script}", on_output=leave)
    pids = [int(pid) for pid in b"".join(world.output).split()]
    wait_until(lambda: all(map(is_gone, pids)), timeout_s=LONG_S)


def test_a_command_that_does_not_heed_an_interrupt_is_killed(world, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_runner, "INTERRUPTED_S", 0.1)

    def leave(piece: bytes) -> None:
        world.output.append(piece)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run("sh", "-c", "trap '' INT; echo $$; exec sleep 1000", on_output=leave)
    wait_until(lambda: is_gone(int(world.output[0])), timeout_s=LONG_S)


def test_the_end_of_the_attempt_is_that_of_its_commands(world):
    with pytest.raises(StateError, match="aaa stopped, and the command with it"):
        world.run("sh", "-c", ENDLESS, on_output=lambda piece: (world.output.append(piece), end(world)))
    assert is_gone(int(world.output[0]))
    with pytest.raises(StateError, match="the attempt is over"):
        world.run("true")


def end(world: SimpleNamespace) -> None:
    world.attempt.commands.end()
    world.attempt.commands.await_end()


def test_a_doubled_message_runs_it_once(world):
    world.sender.times = 2
    assert world.run("echo", "once") == 0
    assert b"".join(world.output) == b"once\n"


def test_a_job_that_does_not_run_takes_no_command(world, store, monkeypatch: pytest.MonkeyPatch):
    world.attempt.commands = JobCommands()
    with pytest.raises(StateError, match="has not started yet"):
        world.run("true")
    world.node.running.remove(world.attempt)
    with pytest.raises(StateError, match="does not run on box any more"):
        world.run("true")
    monkeypatch.setattr(client, "ANSWER_WITHIN_S", 0.01)
    world.sender.times = 0
    with pytest.raises(StateError, match="the worker box does not answer"):
        world.run("true")
    submit(store, "bbb")
    with pytest.raises(StateError, match="bbb is queued") as caught:
        ask(store, world.sender, store.jobs.get("bbb"), ["true"])
    assert caught.value.exit_code == 7
    store.jobs.cancel("bbb", "")
    with pytest.raises(StateError, match=r"bbb has ended, .*run it again: fusionq retry bbb"):
        ask(store, world.sender, store.jobs.get("bbb"), ["true"])


def test_only_so_many_run_at_once(world, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_runner, "AT_ONCE", threading.BoundedSemaphore(1))
    with command_runner.AT_ONCE, pytest.raises(StateError, match="too many commands run on box"):
        world.run("true")
    assert world.run("true") == 0


@pytest.mark.parametrize("command", ["nvidia-smi -L", [], [""]])
def test_a_command_is_a_list_of_words(world, store, command):
    with pytest.raises(UsageError, match="is no command"):
        ask(store, world.sender, store.jobs.get("aaa"), command)


def test_the_environment_is_that_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "HIDDEN": "x",
        "FUSIONQ_REDIS_URL": "redis://:secret@x",
        "PYTHONPATH": "/lib",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLOUR", "red")
    environ = environ_of(orders(tmp_path))
    assert environ["COLOUR"] == "green"
    assert environ["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/lib"
    assert not {"HIDDEN", "FUSIONQ_REDIS_URL", "PYTHONSAFEPATH"} & set(environ)
    frozen = environ_of(orders(tmp_path / "gone", code="/code"))
    assert frozen["PYTHONPATH"] == os.pathsep.join(["/code", "/", "/lib"])
    assert frozen["PYTHONSAFEPATH"] == "1"


def test_a_command_dies_with_its_guardian(world):
    process = world.attempt.commands.start(["sh", "-c", ENDLESS])
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    wait_until(lambda: is_gone(pid), timeout_s=LONG_S)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
