"""Ending every process of a job, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.support import wait_until
from workers.processes import kill_session, session_members

# A leader with two children that do not listen, one of them in a process group of its own, and a grandchild.
FAMILY = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    os.fork()
elif os.fork() == 0:
    pass
print("here", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def leader() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True
    )
    for _ in range(4):
        process.stdout.readline()
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    yield process
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_session_is_its_leader_and_all_that_came_of_it(leader: subprocess.Popen):
    members = session_members(leader.pid)
    assert leader.pid in members
    assert len(members) == 4


def test_every_process_of_a_session_is_killed_though_it_ignores_a_polite_signal(leader: subprocess.Popen):
    members = session_members(leader.pid)
    assert kill_session(leader.pid) == []
    assert session_members(leader.pid) == []
    for pid in members:
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_the_leader_left_behind_is_found_after_its_own_death(leader: subprocess.Popen):
    leader.kill()
    leader.wait()
    assert len(session_members(leader.pid)) == 3
    assert kill_session(leader.pid) == []


def test_nobody_outside_is_touched(leader: subprocess.Popen, bystander: subprocess.Popen):
    kill_session(leader.pid)
    assert leader.wait(timeout=5) == -9
    assert bystander.poll() is None
    assert psutil.Process().is_running()


@pytest.mark.parametrize("session", [0, 1, -1])
def test_no_session_is_no_permission_to_kill(session: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it killed"))
    assert kill_session(session) == []


def test_those_that_survive_the_time_limit_are_named(
    leader: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
):
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    survivors = kill_session(leader.pid, timeout_s=0.05)
    monkeypatch.undo()
    assert len(survivors) == 4


def test_a_zombie_counts_as_dead():
    process = subprocess.Popen(["true"], start_new_session=True)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert session_members(process.pid) == []
    process.wait()
