"""A job process stands still at the end of its lease, and goes on once that is renewed."""

from __future__ import annotations

import os
import signal

import psutil

from fusionq.worker import lease_guard as leash
from fusionq.worker.protocol import EXIT_DONE
from tests.support import wait_until
from tests.worker.job_process.attempts import LONG_S, WITHOUT_END, Attempt


def stands_still(attempt: Attempt) -> bool:
    return psutil.Process(attempt.process.pid).status() == psutil.STATUS_STOPPED


def test_a_job_stands_still_at_the_end_of_its_lease_and_goes_on_when_that_is_renewed(start):
    attempt = start("import time; time.sleep(0.1)", **{leash.UNTIL: leash.now() + 0.5})
    wait_until(lambda: stands_still(attempt), what="the job standing still")

    def goes_on() -> bool:
        attempt.process.lengthen_leash(leash.now() + 3600)
        attempt.listen()
        return attempt.process.is_over

    wait_until(goes_on, timeout_s=LONG_S, what="the end of the job")
    assert attempt.process.exit_code == EXIT_DONE, attempt.output


def test_a_lease_that_is_renewed_in_time_interrupts_nothing(start):
    """Not even what waits in C code, which a signal would bring back early."""
    sleep = "import ctypes; print('left', ctypes.CDLL(None).sleep(2), flush=True); self.do = lambda: None"
    attempt = start(sleep)
    renewed = 0
    while not attempt.process.is_over:
        renewed += 1
        attempt.process.lengthen_leash(leash.now() + 3600 + renewed)
        assert not stands_still(attempt)
        attempt.listen()
    assert attempt.output.startswith("left 0\n")
    assert renewed > 10


def test_processes_of_a_job_stand_still_with_it(start):
    attempt = start(
        "import subprocess as s, time; "
        "pids = [s.Popen(['sleep', '600'], start_new_session=new).pid for new in (0, 1)]; "
        "print('of', *pids, '.', flush=True); "
        "self.do = lambda: time.sleep(0.5)",
        **{leash.UNTIL: leash.now() + 2},
    )

    def has_begun() -> bool:
        attempt.process.lengthen_leash(leash.now() + 2)
        attempt.listen()
        return " ." in attempt.output

    def are_still() -> list[bool]:
        return [child.status() == psutil.STATUS_STOPPED for child in children]

    wait_until(has_begun, timeout_s=LONG_S, what="its processes")
    children = [psutil.Process(int(pid)) for pid in attempt.output.split()[1:3]]
    wait_until(lambda: are_still() == [True, True], timeout_s=LONG_S, what="its processes standing still")

    def go_on() -> bool:
        attempt.process.lengthen_leash(leash.now() + 3600)
        return are_still() == [False, False]

    wait_until(go_on, timeout_s=LONG_S, what="its processes going on")


def test_a_job_that_another_wakes_does_nothing_until_its_lease_is_renewed(start, tmp_path):
    journal = tmp_path / "journal"
    attempt = start(
        "import time; "
        f"all(open({str(journal)!r}, 'a').write('x') and not time.sleep(0.001) for _ in iter(int, 1))",
        **{leash.UNTIL: leash.now() + 3},
    )
    wait_until(lambda: stands_still(attempt), what="the job standing still")
    written = journal.stat().st_size
    assert written
    for _ in range(20):
        os.killpg(attempt.process.pid, signal.SIGCONT)
        wait_until(lambda: stands_still(attempt), what="the job standing still again")
    assert journal.stat().st_size == written


def test_a_job_that_stands_still_is_killed_like_any_other(start):
    attempt = start(WITHOUT_END, **{leash.UNTIL: leash.now()})
    wait_until(lambda: stands_still(attempt), what="the job standing still")
    attempt.process.kill_tree()
    assert attempt.await_end(timeout_s=5) == -signal.SIGKILL
