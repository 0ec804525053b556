"""The fork server and its job processes: real processes, real training, every way to end."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths
from fusionq.spec.states import Outcome
from fusionq.spec.verdict import Verdict
from fusionq.worker import job_check
from fusionq.worker import job_process_launcher as launcher_module
from fusionq.worker import lease_guard as leash
from fusionq.worker import protocol as wire
from fusionq.worker.attempt_outcome import Seen, judge
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.job_process_launcher import JobProcess, Launcher
from fusionq.worker.protocol import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED
from tests.support import is_gone, wait_until

LONG_S = 60.0
JOB = """
name: small
model:
  _target_: Sequential
  _args_:
    - {_target_: fusionq.Flatten}
    - {_target_: Linear, in_features: 64, out_features: 10}
data:
  train: {_target_: Digits, size: 8}
  transform: [{_target_: ToTensor}]
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: SGD, lr: 0.1}
"""

# A trainer whose first batch does what a test wants to see.
TRAINERS = """
import fusionq as tf

class Doing(tf.StandardModel):
    def __train_func__(self, *arguments):
        self.do()
        super().__train_func__(*arguments)
"""
WITHOUT_END = "import time; time.sleep(0.5)"


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """A warm fork server for all tests of this module; it imports torch once."""
    launcher = Launcher()
    launcher.begin()
    launcher.await_ready()
    yield launcher
    launcher.stop()


class Attempt:
    """A job process and what it said."""

    def __init__(self, process: JobProcess, paths: RunPaths, workdir: Path) -> None:
        self.process = process
        self.workdir = workdir
        self.paths = paths
        self.messages: list[dict[str, Any]] = []

    @property
    def output(self) -> str:
        log = self.paths.output_log  # which the process makes when it has its orders
        return log.read_text() if log.exists() else ""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    def listen(self) -> None:
        self.messages += self.process.receive(0.02)

    def await_kind(self, kind: str) -> dict[str, Any]:
        def heard() -> bool:
            self.listen()
            assert not self.process.is_over, self.output
            return bool(self.of_kind(kind))

        wait_until(heard, timeout_s=LONG_S, what=f"a message {kind}")
        return self.of_kind(kind)[0]

    def await_text(self, text: str) -> None:
        def seen() -> bool:
            self.listen()
            return text in self.output

        wait_until(seen, timeout_s=LONG_S, what=f"{text!r} in the log")

    def await_end(self, timeout_s: float = LONG_S) -> int | None:
        def is_over() -> bool:
            self.listen()
            return self.process.is_over

        wait_until(is_over, timeout_s=timeout_s, what="the end of the job")
        return self.process.exit_code


@pytest.fixture
def start(launcher: Launcher, tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """Starts job processes that train on the digits; `do` is what happens before each batch."""
    begun: list[Attempt] = []

    def begin(
        do: str = "",
        *,
        seed: int = 3,
        more: str = "",
        environ: dict[str, str] | None = None,
        give_up: Callable[[], bool] = lambda: False,
        **orders,
    ) -> Attempt:
        number = len(list(tmp_path.glob("work*")))
        workdir = tmp_path / f"work{number}"
        workdir.mkdir()
        paths = RunPaths(tmp_path / f"run{number}")
        paths.root.mkdir()
        text = f"{JOB}train: {{epochs: 2, seed: {seed}}}\n"
        if do:
            (workdir / "trainers.py").write_text(f"{TRAINERS}\n    def do(self):\n        {do}\n")
            text += "trainer: trainers.Doing\n"
        defaults = {
            "spec": from_yaml(text + more).to_data(),
            "attempt": 1,
            "fresh_after": 0,
            "run_dir": str(paths.root),
            "output_log": str(paths.output_log),
            "workdir": str(workdir),
            "code": "",
            "provenance": {},
            "umask": 0o077,
            "withheld": [],
            "data_root": "",
            "threads": 1,
            "processes": 1,
            "nodes": 1,
            "gpu_memory": None,
            leash.UNTIL: leash.now() + 3600,
            "marks": {"FUSIONQ_JOB": tmp_path.name, "FUSIONQ_ATTEMPT": str(number)},
            "environ": {"CUDA_VISIBLE_DEVICES": "", **(environ or {})},
        }
        attempt = Attempt(launcher.spawn({**defaults, **orders}, give_up), paths, workdir)
        begun.append(attempt)
        return attempt

    yield begin
    for attempt in begun:
        attempt.process.kill_tree()
        attempt.process.close()


# --- the leash -------------------------------------------------------------------------------------


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


# --- what a job does -------------------------------------------------------------------------------


def test_a_job_trains_and_tells_what_happens(start):
    attempt = start()
    assert attempt.await_end() == EXIT_DONE, attempt.output
    assert [message["kind"] for message in attempt.messages] == ["started", "epoch", "epoch", "result"]
    result = attempt.of_kind("result")[0]["result"]
    assert result["epochs"] == 2
    assert attempt.paths.result.exists()
    assert list(attempt.paths.checkpoints.glob("*.pt"))


def test_an_error_in_user_code_is_told_in_one_line_and_printed_in_full(start):
    attempt = start("raise ValueError('these samples\\n are odd')")
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert (error["class"], error["reason"]) == (
        "error",
        "ValueError: these samples (trainers.py, line 10, in do)",
    )
    assert "Traceback (most recent call last)" in attempt.output


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (
            "raise type('Bad', (Exception,), {'__str__': lambda self: 1 / 0})",
            "Bad",
        ),
        (
            "raise type('Bad', (Exception,), {'__str__': lambda self: exit(0)})",
            "Bad",
        ),
        (
            "raise ValueError('caf\\udce9 \\ud83d')",
            r"ValueError: caf\xe9 \ud83d",
        ),
        ("raise ValueError('\\x1b[2J\\u202e')", r"ValueError: \x1b[2J\u202e"),
        ("raise ValueError('x' * 3_000_000)", f"ValueError: {'x' * 399}…"),
        (
            "e = ValueError('around'); e.__cause__ = e; raise e",
            "ValueError: around",
        ),
    ],
)
def test_an_error_whatever_it_says_is_told_at_once_and_safely(start, do: str, reason: str):
    attempt = start(do)
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert (error["class"], error["reason"]) == ("error", f"{reason} (trainers.py, line 10, in do)")
    assert "Traceback (most recent call last)" in attempt.output
    assert "line 10, in do" in attempt.output


def test_an_import_that_fails_is_found_before_anything_is_built(start):
    attempt = start(more="trainer: nowhere.Trainer\n")
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert error["class"] == "spec_error"
    assert error["reason"].startswith("trainer: there is no module 'nowhere'")


def test_a_log_that_cannot_be_written_hides_no_error(start):
    attempt = start("raise OSError(28, 'No space left on device')", output_log="/dev/full")
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert error["class"] == "disk_full"


def test_a_log_that_cannot_be_opened_is_told(start, tmp_path: Path):
    attempt = start(output_log=str(tmp_path / "none" / "output.log"))
    assert attempt.await_end() == EXIT_FAILED
    assert "No such file or directory" in attempt.of_kind("error")[0]["reason"]


def test_a_lack_of_memory_is_told_as_such(start):
    attempt = start("import torch; torch.empty(2**50)")
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert error["class"] == "oom"
    assert error["reason"].startswith("out of memory: ")


LOADER = "import os, torch; list(torch.utils.data.DataLoader([1], num_workers=1, collate_fn=lambda _: {}))"


@pytest.mark.parametrize(
    ("do", "failure"),
    [
        ("import torch; torch.empty(2**50)", "oom"),
        ("import os; os.kill(os.getpid(), 9)", "host_oom"),
        (LOADER.format("os.kill(os.getpid(), 9)"), "host_oom"),
        (LOADER.format("os.kill(os.getpid(), 7)"), "host_oom"),  # no more shared memory
        ("import ctypes; ctypes.string_at(0)", "crash"),
        (LOADER.format("os.kill(os.getpid(), 11)"), "crash"),
        ("[weights.data.fill_(float('nan')) for weights in self.model.parameters()]", "non_finite_loss"),
        ("import nowhere", "import_error"),
        ("open('/dev/full', 'wb', buffering=0).write(b'x')", "disk_full"),
        ("import torch; torch.save(torch.zeros(10_000), '/dev/full')", "disk_full"),
        ("raise OSError('no such device')", "error"),
        ("import os; os._exit(7)", "error"),
        ("import os; os.kill(os.getpid(), 15)", "worker_lost"),  # told to stop by nobody that we know
    ],
)
def test_each_way_to_fail_has_its_class(start, do: str, failure: str):
    attempt = start(do)
    code = attempt.await_end()
    error = next(iter(attempt.of_kind("error")), None)
    ending = judge(Seen(code, error=error), from_yaml(f"{JOB}retry: {{max: 0}}\n"))
    assert (ending.outcome, ending.failure) == (Outcome.FAILED, failure), attempt.output


def test_a_full_disk_is_told_in_plain_words(start):
    attempt = start("open('/dev/full', 'wb', buffering=0).write(b'x')")
    assert attempt.await_end() == EXIT_FAILED
    (error,) = attempt.of_kind("error")
    assert error["reason"] == (
        "the disk is full: [Errno 28] No space left on device (trainers.py, line 10, in do)"
    )


def test_a_job_has_its_environment_its_folder_and_its_threads(start, tmp_path: Path):
    attempt = start(
        "import os, torch; print(os.environ['COLOUR'], os.environ.get('PATH'), os.getcwd(), "
        "torch.get_num_threads()); os._exit(7)",
        environ={"COLOUR": "green"},
        withheld=["PATH"],
        threads=2,
    )
    attempt.await_end()
    assert f"green None {tmp_path / 'work0'} 2\n" in attempt.output


def test_a_job_whose_folder_is_not_on_this_machine_works_in_its_run_folder(start, tmp_path: Path):
    attempt = start(workdir=str(tmp_path / "elsewhere"))
    assert attempt.await_end() == EXIT_DONE
    assert f"WARNING: {tmp_path / 'elsewhere'} is not on this machine" in attempt.output


def test_a_job_imports_its_code_as_submitted_and_nothing_of_its_live_folder(start, tmp_path: Path):
    code = tmp_path / "code"
    code.mkdir()
    do = "import sys, os; print('from', __file__); print(os.getcwd() in sys.path); import extra"
    (code / "trainers.py").write_text(f"{TRAINERS}\n    def do(self):\n        {do}\n")
    attempt = start("raise ValueError('the live file')", code=str(code))
    (tmp_path / "work0" / "extra.py").write_text("")
    assert attempt.await_end() == EXIT_FAILED
    assert f"from {code / 'trainers.py'}\nFalse\n" in attempt.output
    assert attempt.of_kind("error")[0]["reason"].endswith(
        "No module named 'extra' (trainers.py, line 10, in do)"
    )


def test_what_was_submitted_stands_in_the_environment_of_the_run(start):
    attempt = start(provenance={"code": "abc", "git": {"commit": "c0ffee"}, "packages": {"x": "1"}})
    assert attempt.await_end() == EXIT_DONE
    told = json.loads(attempt.paths.environment.read_text())
    assert (told["code"], told["git"], told["packages"], told["seed"]) == (
        "abc",
        {"commit": "c0ffee"},
        {"x": "1"},
        3,
    )


def test_all_that_a_job_prints_lands_in_its_log(start):
    attempt = start(
        "import os, subprocess, sys, ctypes\n"
        "        print('from print')\n"
        "        print('from stderr', file=sys.stderr)\n"
        "        os.write(1, b'from a descriptor\\n')\n"
        "        libc = ctypes.CDLL(None); libc.puts(b'from C'); libc.fflush(None)\n"
        "        subprocess.run(['sh', '-c', 'echo from a child; echo from its stderr >&2'])\n"
        "        os._exit(7)"
    )
    attempt.await_end()
    words = ["print", "stderr", "a descriptor", "C", "a child", "its stderr"]
    assert attempt.output.splitlines() == [f"from {word}" for word in words]


def test_print_is_seen_at_once(start):
    attempt = start("print('halfway'); import time; time.sleep(60)")
    attempt.await_text("halfway\n")
    assert not attempt.process.is_over


def test_a_crash_in_native_code_leaves_its_trace_in_the_log(start):
    attempt = start("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert attempt.await_end() == -signal.SIGSEGV
    assert "Segmentation fault" in attempt.output
    assert "trainers.py" in attempt.output


def test_what_a_quick_job_says_before_its_number_is_known_is_not_lost(launcher: Launcher):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in ({"kind": "error"}, {"pid": 1_000_000}, {"exit": 1}):
            wire.send(theirs, message)
        orders = {leash.UNTIL: leash.now(), "marks": {}}
        process = JobProcess(ours, launcher._server, orders)
        process.begin(orders, lambda: False)
        assert process.receive(0) == [{"kind": "error"}]
        assert (process.pid, process.exit_code) == (1_000_000, 1)
        process.close()


def test_what_a_job_said_before_anybody_listened_is_heard_at_its_end(launcher: Launcher):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in ({"kind": "started"}, {"pid": 1_000_000}):
            wire.send(theirs, message)
        orders = {leash.UNTIL: leash.now(), "marks": {}}
        process = JobProcess(ours, launcher._server, orders)
        process.begin(orders, lambda: False)
        for message in ({"kind": "epoch", "text": "x" * 70_000}, {"kind": "result"}, {"exit": 0}):
            wire.send(theirs, message)
        assert [message["kind"] for message in process.last_words()] == ["started", "epoch", "result"]
        assert process.exit_code == 0
        process.close()


# --- each process is its own -----------------------------------------------------------------------

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


# --- ways to end -----------------------------------------------------------------------------------


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


# --- the end of the fork server (last: the next test would warm up another) ------------------------


def guardian_of(attempt: Attempt) -> psutil.Process:
    return psutil.Process(attempt.process.pid).parent()


def server_of(attempt: Attempt) -> psutil.Process:
    return guardian_of(attempt).parent()


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


# --- a check of jobs that are not submitted yet ------------------------------------------------------


def test_a_process_checks_jobs_and_trains_none(launcher: Launcher, tmp_path: Path):
    (tmp_path / "own.py").write_text(
        "import os\nfrom torch import nn\nWIDTH = int(os.environ['WIDTH'])\n"
        "def net():\n    print('hello')\n    return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH, 10))\n"
    )
    settings = SimpleNamespace(runs=tmp_path / "runs", home=tmp_path, data=None)
    node = SimpleNamespace(name="w", launcher=launcher, settings=settings)
    job = from_yaml(JOB).to_data()
    specs = [{**job, "model": {"_target_": "own.net"}, "env": {"WIDTH": width}} for width in ("64", "63")]
    question = {"specs": specs, "workdir": str(tmp_path), "code": "", "timeout_s": LONG_S}
    right, wrong = map(Verdict.from_data, job_check._answer(node, "token", question)["verdicts"])
    assert (right.problems, right.notes) == ([], [])
    assert "takes 63 features" in wrong.problems[0][1]
    assert not (tmp_path / "runs").exists()


def test_a_worker_that_does_not_see_the_folder_checks_nothing(launcher: Launcher, tmp_path: Path):
    node = SimpleNamespace(name="w", launcher=launcher)
    question = {"specs": [], "workdir": str(tmp_path / "gone"), "code": "", "timeout_s": 1}
    assert job_check._answer(node, "t", question) == {
        "skipped": f"the worker w does not see {tmp_path / 'gone'}"
    }
