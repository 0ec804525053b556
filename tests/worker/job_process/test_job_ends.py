"""How a job process ends: as asked, by itself, or killed."""

from __future__ import annotations

import gzip
import os
import signal
from pathlib import Path

import pytest

from fusionq.worker.protocol import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED
from tests.worker.job_process.attempts import WITHOUT_END


def test_a_job_that_is_asked_to_stop_saves_its_state(start):
    attempt = start(WITHOUT_END)
    attempt.await_kind("started")
    attempt.process.ask_to_stop()
    assert attempt.await_end() == EXIT_STOPPED
    assert list(attempt.paths.checkpoints.glob("*.pt"))
    assert "the state is saved" in attempt.output
    assert not attempt.of_kind("error")


@pytest.mark.parametrize("_", range(5))
def test_a_job_that_is_asked_to_stop_at_its_first_breath_hears_it(start, _: int):
    attempt = start(WITHOUT_END)
    attempt.process.ask_to_stop()
    assert attempt.await_end() == EXIT_STOPPED


def test_the_exit_code_of_user_code_is_told(start):
    attempt = start("import os; os._exit(7)")
    assert attempt.await_end() == 7
    assert not attempt.of_kind("error")


def test_a_job_that_leaves_by_sys_exit_is_an_error_with_its_place(start):
    attempt = start("import sys; sys.exit(3)")
    assert attempt.await_end() == EXIT_FAILED
    assert attempt.of_kind("error")[0]["reason"] == "SystemExit: 3 (trainers.py, line 10, in do)"


def test_a_killed_job_is_told_with_its_signal(start):
    attempt = start(WITHOUT_END)
    attempt.await_kind("started")
    os.kill(attempt.process.pid, signal.SIGKILL)
    assert attempt.await_end() == -signal.SIGKILL


# What a module leaves to the end of its process. It stands after the function `do`, which does nothing.
LEFT_TO_THE_END = """pass

import atexit, gzip, logging, logging.handlers, tempfile, threading, time
TABLE = open("table.csv", "w")
TABLE.write("epoch,loss")
_SQUEEZED = gzip.open("table.gz", "wt")
_SQUEEZED.write("squeezed")
LOG = logging.getLogger("mine")
LOG.addHandler(logging.handlers.MemoryHandler(1000, target=logging.FileHandler("mem.log")))
LOG.warning("remembered")
FOLDER = tempfile.TemporaryDirectory(dir=".", prefix="of-the-job")
atexit.register(lambda: 1 / 0)
atexit.register(lambda: open("goodbye.txt", "w").write("ran"))
threading.Thread(target=lambda: time.sleep(0.3) or open("thread.txt", "w").write("ended")).start()
"""


@pytest.mark.parametrize(("is_stopped", "code"), [(False, EXIT_DONE), (True, EXIT_STOPPED)])
def test_a_job_ends_as_python_ends_a_process(start, is_stopped: bool, code: int):
    attempt = start(LEFT_TO_THE_END)
    if is_stopped:
        attempt.process.ask_to_stop()
    assert attempt.await_end() == code, attempt.output
    folder = Path(attempt.workdir)
    left = {
        name: (folder / name).read_text() for name in ("table.csv", "mem.log", "goodbye.txt", "thread.txt")
    }
    assert left == {
        "table.csv": "epoch,loss",
        "mem.log": "remembered\n",
        "goodbye.txt": "ran",
        "thread.txt": "ended",
    }
    assert gzip.decompress((folder / "table.gz").read_bytes()) == b"squeezed"
    assert not list(folder.glob("of-the-job*"))
    assert "ZeroDivisionError" in attempt.output


def test_ctrl_c_does_not_reach_a_job(start):
    attempt = start(WITHOUT_END)
    attempt.await_kind("started")
    os.kill(attempt.process.pid, signal.SIGINT)
    os.kill(attempt.process.pid, signal.SIGTERM)
    assert attempt.await_end() == EXIT_STOPPED
