"""Every way in which a job fails is told in one line, with its class."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.worker.attempt_outcome import Seen, judge
from fusionq.worker.protocol import EXIT_FAILED
from tests.worker.job_process.attempts import JOB


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
