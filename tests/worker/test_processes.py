"""Ending every process of a job, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from fusionq.worker.processes.identity import life_of, mark_of_this_life, this_machine
from fusionq.worker.processes.tree import ENV_SUPERVISOR, family, kill_family, kill_orphans
from tests.support import is_gone, wait_until

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
    members = family(leader.pid, {})
    assert leader.pid in members
    assert len(members) == 4


def test_every_process_of_a_session_is_killed_though_it_ignores_a_polite_signal(leader: subprocess.Popen):
    members = family(leader.pid, {})
    assert kill_family(leader.pid, {}) == []
    assert family(leader.pid, {}) == []
    for pid in members:
        assert is_gone(pid)


def test_what_the_leader_left_behind_is_found_after_its_own_death(leader: subprocess.Popen):
    leader.kill()
    leader.wait()
    assert len(family(leader.pid, {})) == 3
    assert kill_family(leader.pid, {}) == []


def test_nobody_outside_is_touched(leader: subprocess.Popen, bystander: subprocess.Popen):
    kill_family(leader.pid, {})
    assert leader.wait(timeout=5) == -9
    assert bystander.poll() is None
    assert psutil.Process().is_running()


@pytest.mark.parametrize("session", [0, 1, -1])
def test_no_session_is_no_permission_to_kill(session: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it killed"))
    assert kill_family(session, {}) == []


def test_those_that_survive_the_time_limit_are_named(
    leader: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
):
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    survivors = kill_family(leader.pid, {}, timeout_s=0.05)
    monkeypatch.undo()
    assert len(survivors) == 4


def test_a_zombie_counts_as_dead():
    process = subprocess.Popen(["true"], start_new_session=True)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert family(process.pid, {}) == []
    process.wait()


# --- what left the session -------------------------------------------------------------------------

MARKS = {"FUSIONQ_JOB": "of-this-test", "FUSIONQ_ATTEMPT": "1"}


def escaped(**environ: str) -> Iterator[subprocess.Popen]:
    """A program in a session of its own."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True, env={**os.environ, **environ})
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def marked() -> Iterator[subprocess.Popen]:
    yield from escaped(**MARKS)


@pytest.fixture
def of_another_attempt() -> Iterator[subprocess.Popen]:
    yield from escaped(**{**MARKS, "FUSIONQ_ATTEMPT": "2"})


def test_what_left_the_session_is_known_by_its_marks(leader, marked, of_another_attempt):
    assert marked.pid in family(leader.pid, MARKS)
    assert kill_family(leader.pid, MARKS) == []
    assert marked.wait(timeout=5) == -9
    assert of_another_attempt.poll() is None


def test_a_child_that_left_the_session_and_has_no_marks_is_known_by_its_parent():
    code = "import os, time; os.fork() or (os.setsid(), os.fork()); print('here', flush=True); time.sleep(60)"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    for _ in range(3):
        leader.stdout.readline()
    members = family(leader.pid, MARKS)
    assert len(members) == 3
    assert kill_family(leader.pid, MARKS) == []
    leader.wait()
    leader.stdout.close()
    for pid in members:
        assert is_gone(pid)


def life_of_a_dead_process() -> str:
    dead = subprocess.Popen(["true"])
    life = life_of(dead.pid)
    dead.wait()
    return life


@pytest.fixture
def orphan() -> Iterator[subprocess.Popen]:
    yield from escaped(**{ENV_SUPERVISOR: f"{this_machine()}/{life_of_a_dead_process()}"})


@pytest.fixture
def of_a_container() -> Iterator[subprocess.Popen]:
    """Its supervisor has another number there, which here may be nobody's."""
    yield from escaped(**{ENV_SUPERVISOR: f"its container/{life_of_a_dead_process()}"})


@pytest.fixture
def looked_after() -> Iterator[subprocess.Popen]:
    yield from escaped(**{ENV_SUPERVISOR: mark_of_this_life()})


def test_what_a_dead_worker_left_is_killed_and_what_a_living_one_runs_is_not(
    orphan, looked_after, of_a_container
):
    assert orphan.pid in kill_orphans()
    assert orphan.wait(timeout=5) == -9
    assert looked_after.poll() is None
    assert of_a_container.poll() is None
