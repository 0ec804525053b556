"""What a job process does, is given, says and prints."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

from fusionq.worker import lease_guard as leash
from fusionq.worker import protocol as wire
from fusionq.worker.job_process_launcher import JobProcess, Launcher
from fusionq.worker.protocol import EXIT_DONE, EXIT_FAILED
from tests.worker.job_process.attempts import TRAINERS


def test_a_job_trains_and_tells_what_happens(start):
    attempt = start()
    assert attempt.await_end() == EXIT_DONE, attempt.output
    assert [message["kind"] for message in attempt.messages] == ["started", "epoch", "epoch", "result"]
    result = attempt.of_kind("result")[0]["result"]
    assert result["epochs"] == 2
    assert attempt.paths.result.exists()
    assert list(attempt.paths.checkpoints.glob("*.pt"))


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
