"""Each job process is its own: its random numbers, its session, its marks, its GPU."""

from __future__ import annotations

import os
import signal

import psutil

from fusionq.worker.protocol import EXIT_DONE
from tests.worker.job_process.attempts import WITHOUT_END

DRAW = (
    "import random, numpy, torch, os\n"
    "        print(random.random(), numpy.random.rand(), torch.rand(1).item()); os._exit(7)"
)


def test_the_seed_of_the_spec_decides_every_random_number(start):
    attempts = [start(DRAW), start(DRAW), start(DRAW, seed=4)]
    for attempt in attempts:
        attempt.await_end()
    assert len(attempts[0].output.split()) == 3
    same, again, different = (attempt.output for attempt in attempts)
    assert same == again
    assert not set(same.split()) & set(different.split())


def test_a_job_leads_a_session_of_its_own(start):
    attempt = start(WITHOUT_END)
    attempt.await_kind("started")
    pid = attempt.process.pid
    assert os.getsid(pid) == os.getpgid(pid) == pid
    assert attempt.process.survivors() == [pid]


def test_a_job_shows_its_marks_to_other_processes_and_so_does_what_it_starts(start):
    attempt = start(
        "import os, subprocess\n"
        "        child = subprocess.Popen(['sleep', '600'])\n"
        "        print('child', child.pid, os.fork() or os.getpid(), flush=True)\n"
        "        import time; time.sleep(600)",
        environ={"COLOUR": "green"},
    )
    attempt.await_text("child ")
    marks = {"FUSIONQ_JOB": attempt.paths.root.parent.name, "FUSIONQ_ATTEMPT": "0"}
    members = attempt.process.survivors()
    assert len(members) == 3
    for pid in members:
        assert marks.items() <= psutil.Process(pid).environ().items()
    child = psutil.Process(int(attempt.output.split()[1]))
    assert child.environ()["COLOUR"] == "green"
    assert "FUSIONQ_MARKS" not in child.environ()


def test_a_job_finds_cuda_untouched(start):
    look = "torch.cuda.is_initialized(), torch.cuda._is_in_bad_fork()"
    attempt = start(f"import torch, os; print({look}); os._exit(7)")
    attempt.await_end()
    assert attempt.output == "False False\n"


def test_jobs_run_side_by_side_and_end_one_by_one(start):
    long, short = start(WITHOUT_END), start()
    assert short.await_end() == EXIT_DONE
    assert not long.process.is_over
    long.process.kill_tree()
    assert long.await_end() == -signal.SIGKILL
