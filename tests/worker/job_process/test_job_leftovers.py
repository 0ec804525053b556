"""Nothing that a job started outlives it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from fusionq.worker.protocol import EXIT_DONE
from tests.support import is_gone, wait_until
from tests.worker.job_process.attempts import Attempt, guardian_of


def test_killing_the_tree_takes_along_what_the_job_started(start):
    attempt = start(
        "import subprocess, time\n"
        "        child = subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 600; true'])\n"
        "        print('child', child.pid, flush=True); time.sleep(600)"
    )
    attempt.await_text("child ")
    child = psutil.Process(int(attempt.output.split()[1]))
    attempt.process.kill_tree()
    assert attempt.await_end() == -signal.SIGKILL
    wait_until(lambda: is_gone(child), what="the child gone")
    assert attempt.process.survivors() == []


def test_killing_the_tree_takes_along_a_daemon_of_the_job(start):
    """It left the session, runs no program of its own, and its parent is gone."""
    attempt = start(
        "import os, time\n"
        "        if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            if os.fork() == 0:\n"
        "                print('daemon', os.getpid(), flush=True); time.sleep(600)\n"
        "            os._exit(0)\n"
        "        os.wait(); time.sleep(600)"
    )
    attempt.await_text("daemon ")
    daemon = psutil.Process(int(attempt.output.split("daemon ")[1].split()[0]))
    wait_until(lambda: daemon.ppid() != attempt.process.pid and os.getsid(daemon.pid) != daemon.pid)
    attempt.process.kill_tree()
    assert is_gone(daemon)


# A daemon that shares neither session nor environment with its job, and one that forks itself anew for ever.
DAEMONS = (
    "import os, subprocess, sys, time\n"
    "        subprocess.run(['sh', '-c', 'env -i setsid sleep 600 & echo daemon $!'])\n"
    "        again = 'import os, time; os.setsid()\\nwhile 1: os.fork() and os._exit(0); time.sleep(0.003)'\n"
    "        subprocess.run([sys.executable, '-SE', '-c', again, 'of-' + os.getcwd()], env={})\n"
    "        self.do = lambda: None; print('ready', flush=True)"
)


def left_by(attempt: Attempt) -> list[psutil.Process]:
    """The daemon of the job, and what forks itself anew."""
    pid = int(attempt.output.split("daemon ")[1].split()[0])
    mark = f"of-{attempt.workdir}"
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_alive and (process.pid == pid or mark in process.cmdline()):
                found.append(process)
    return found


def test_nothing_outlives_a_job_that_ends(start):
    attempt = start(DAEMONS)
    assert attempt.await_end() == EXIT_DONE, attempt.output
    assert "daemon " in attempt.output
    assert left_by(attempt) == []


def test_named_shared_memory_of_a_job_that_is_killed_goes(start):
    attempt = start(
        "import time; from multiprocessing import shared_memory as s; "
        "self.memory = s.SharedMemory(create=True, size=10); "
        "print(self.memory.name, flush=True); time.sleep(600)"
    )
    attempt.await_text("psm_")
    memory = Path("/dev/shm", attempt.output.strip())
    assert memory.exists()
    attempt.process.kill_tree()
    assert attempt.await_end() == -signal.SIGKILL
    assert not memory.exists()


def test_nothing_outlives_a_job_whose_guardian_or_leader_is_killed(start):
    attempts = [start(f"{DAEMONS}; time.sleep(600)") for _ in range(2)]
    for attempt in attempts:
        attempt.await_text("ready")
        assert left_by(attempt)
    assert len(attempts[0].process.survivors()) >= 2
    os.kill(attempts[0].process.pid, signal.SIGKILL)
    guardian_of(attempts[1]).kill()
    for attempt in attempts:
        assert attempt.await_end() == -signal.SIGKILL
        wait_until(lambda attempt=attempt: not left_by(attempt), what="the daemons gone")


def test_a_job_without_a_supervisor_ends_though_it_has_nothing_to_say(start):
    attempt = start("print('silence', flush=True); import time; time.sleep(600)")
    attempt.await_text("silence")
    process = psutil.Process(attempt.process.pid)
    attempt.process.close()
    wait_until(lambda: is_gone(process), what="the job gone")
