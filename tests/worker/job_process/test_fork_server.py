"""The fork server stands still, dies or is signalled, and jobs go on, end, or begin by another."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fusionq.worker import job_process_launcher as launcher_module
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.job_process_launcher import Launcher
from fusionq.worker.protocol import EXIT_DONE
from tests.support import is_gone, wait_until
from tests.worker.job_process.attempts import LONG_S, WITHOUT_END, server_of


def test_the_fork_server_takes_no_orders_from_a_terminal(start):
    attempt = start(WITHOUT_END)
    attempt.await_kind("started")
    server = server_of(attempt)
    for number in (signal.SIGINT, signal.SIGTERM):
        server.send_signal(number)
    assert start().await_end() == EXIT_DONE
    assert server.is_running()
    assert not attempt.process.is_over


@pytest.fixture
def standing(launcher: Launcher) -> Iterator[psutil.Process]:
    """The fork server, which a test may stop; it goes on afterwards."""
    server = psutil.Process(launcher._server.pid)
    yield server
    if server.is_running():
        server.resume()


def test_how_a_job_ends_is_seen_though_its_fork_server_stands_still(start, standing: psutil.Process):
    attempts = [
        start("import time; time.sleep(0.05)"),
        start("import os, time; time.sleep(0.2); os._exit(7)"),
    ]
    for attempt in attempts:
        attempt.await_kind("started")
    standing.suspend()
    assert [attempt.await_end() for attempt in attempts] == [EXIT_DONE, 7]
    assert attempts[0].of_kind("result")


def test_a_job_that_is_to_stop_is_not_waited_for_though_the_fork_server_stands_still(
    start, standing: psutil.Process, tmp_path: Path
):
    standing.suspend()
    with pytest.raises(NotStartedError):
        start(give_up=lambda: True)
    standing.resume()
    assert start().await_end() == EXIT_DONE
    assert not (tmp_path / "run0" / "output.log").exists(), "what was forked late ends without orders"


def test_a_fork_server_that_stands_still_is_replaced_and_what_it_forks_late_runs_nothing(
    start, standing: psutil.Process, launcher: Launcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    running = start("import os, time; time.sleep(0 if os.path.exists('go') else 0.2)")
    running.await_kind("started")
    monkeypatch.setattr(launcher_module, "ANSWER_TIMEOUT_S", 0.3)
    standing.suspend()
    with pytest.raises(ForkServerError, match="does not answer"):
        start()
    monkeypatch.undo()
    assert start().await_end() == EXIT_DONE, "by another fork server"
    assert standing.pid != launcher._server.pid
    standing.resume()

    def guardians_of_jobs() -> list[psutil.Process]:
        return [guardian for guardian in standing.children() if guardian.children()]

    wait_until(lambda: len(guardians_of_jobs()) == 1, timeout_s=LONG_S, what="the late fork gone")
    assert not running.process.is_over
    (tmp_path / "work0" / "go").touch()
    assert running.await_end() == EXIT_DONE, running.output
    assert not (tmp_path / "run1" / "output.log").exists()
    running.process.close()
    assert is_gone(standing), "it was kept for the job alone"


def test_when_the_fork_server_is_killed_its_jobs_die_and_the_next_one_runs(start, launcher: Launcher):
    fork = "import os, time; os.fork(); time.sleep(600)"
    attempts = [start(WITHOUT_END), start(fork)]
    for attempt in attempts:
        attempt.await_kind("started")
    wait_until(lambda: len(attempts[1].process.survivors()) == 2, what="the fork")
    jobs = [psutil.Process(attempt.process.pid) for attempt in attempts]
    server_of(attempts[0]).kill()
    for job, attempt in zip(jobs, attempts, strict=True):
        assert attempt.await_end(timeout_s=10) is None
        wait_until(lambda job=job: is_gone(job), what="the job gone")
        attempt.process.kill_tree()
        assert attempt.process.survivors() == [], "nor anything that it started"
    again = start()
    assert again.await_end() == EXIT_DONE, again.output
