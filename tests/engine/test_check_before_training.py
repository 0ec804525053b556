"""The worker's own check: until a checkpoint shows that it passed, and without a trace in what is trained."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
import torch

from fusionq.engine.checking import check_first
from fusionq.engine.checking.child import NoAnswerError, run_in_child
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.errors import CheckError
from fusionq.spec.job import JobSpec
from fusionq.spec.paths import RunPaths
from tests.engine import checked
from tests.engine.jobs import StopAfter, assert_same_run, job_spec

HERE = "tests.engine.checked"
DRAWING = (
    f"data.train={{_target_: {HERE}.Drawing}}",
    "data.transform=[]",
    "data.test=null",
    "metrics.test=[]",
    "model._args_=[{_target_: Linear, in_features: 64, out_features: 10}]",
)


def job(spec: JobSpec, folder: Path, attempt: int = 1) -> Job:
    folder.mkdir(exist_ok=True)
    return Job(spec, RunPaths(folder), attempt, folder)


def attempt(spec: JobSpec, folder: Path, number: int = 1, stop: StopToken | None = None) -> object:
    """What a job process does."""
    task = job(spec, folder, number)
    return run_job(task, lambda event: None, stop or StopToken(), check_first(task))


def test_a_job_that_cannot_work_is_refused_with_its_place_in_one_line(tmp_path: Path):
    with pytest.raises(CheckError) as caught:
        check_first(job(job_spec("model._args_.1.out_features=100"), tmp_path))
    assert str(caught.value).startswith(
        "model._args_.4: Linear(16→10) takes 16 features, but gets a 144 x 100"
    )
    assert caught.value.failure_class == "spec_error"
    wrong = "optimizer={_target_: torch.optim.adam.Adam, lrr: 1}"
    with pytest.raises(CheckError, match=r"^optimizer.lrr: .* \(and 1 more; "):
        check_first(job(job_spec(wrong, "checkpoint.monitor=test_top9"), tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_job_is_looked_at_until_it_has_come_to_a_checkpoint(tmp_path: Path):
    wrong = job(job_spec("model._args_.1.out_features=100"), tmp_path, attempt=2)
    with pytest.raises(CheckError):
        check_first(wrong)
    Checkpoints(wrong.paths, attempt=1).save({}, 0, 0)
    assert check_first(wrong) == {}


def test_notes_and_constructors_say_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    check_first(
        job(
            job_spec(f"model._args_.4={{_target_: {HERE}.Prints}}", "model._args_.1.out_features=64"),
            tmp_path,
        )
    )
    check_first(
        job(
            job_spec(f"model._args_=[{{_target_: fusionq.Flatten}}, {{_target_: {HERE}.LooksAtNumbers}}]"),
            tmp_path,
        )
    )
    assert capfd.readouterr() == ("", "")


def test_a_run_that_was_checked_comes_to_the_same_bits(tmp_path: Path):
    spec = job_spec()
    attempt(spec, tmp_path / "checked")
    run_job(job(spec, tmp_path / "plain"), lambda event: None, StopToken())
    assert_same_run(tmp_path / "checked", tmp_path / "plain")


def test_data_that_was_opened_for_the_check_is_not_opened_again(tmp_path: Path):
    checked.OPENED.clear()
    assert attempt(job_spec(*DRAWING), tmp_path / "run")
    assert checked.OPENED == ["drawing"]


def test_data_that_draws_when_it_is_opened_is_the_same_in_every_attempt(tmp_path: Path):
    spec = job_spec(*DRAWING)
    attempt(spec, tmp_path / "whole")
    assert attempt(spec, tmp_path / "stopped", stop=StopAfter(1)) is None
    assert attempt(spec, tmp_path / "stopped", number=2)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_no_device_is_touched(tmp_path: Path):
    check_first(job(job_spec(), tmp_path))
    assert not torch.cuda.is_initialized()


# --- what the check leaves behind --------------------------------------------------------------------


def test_what_a_users_code_keeps_is_not_made_by_the_check(tmp_path: Path):
    checked.vocabulary.cache_clear()
    names = (
        f"model={{_target_: {HERE}.sized_by_vocabulary}}",
        f"data.train={{_target_: {HERE}.vocabulary_data}}",
        f"trainer={{_target_: {HERE}.OwnTrainer}}",  # else its data is opened before the model is made
    )
    opened = check_first(job(job_spec(*DRAWING, *names), tmp_path))
    assert (opened, checked.vocabulary.cache_info().currsize) == ({}, 0)
    assert attempt(job_spec(*DRAWING, *names), tmp_path)
    assert checked.vocabulary().device.type == "cpu"


def test_a_file_that_the_data_holds_open_keeps_its_position(tmp_path: Path):
    spec = job_spec(*DRAWING, f"data.train={{_target_: {HERE}.OneFile}}")
    dataset = check_first(job(spec, tmp_path))["train"]
    assert (dataset.read, float(dataset[0][0][0])) == (0, 0.0)


def test_a_check_that_dies_refuses_nothing(tmp_path: Path):
    assert check_first(job(job_spec(f"model={{_target_: {HERE}.Dies}}"), tmp_path)) == {}


def test_a_check_that_hangs_is_ended(tmp_path: Path):
    with pytest.raises(NoAnswerError, match="longer than 0"):
        run_in_child(threading.Event().wait, 0.01)
    with pytest.raises(NoAnswerError, match="cancelled"):
        run_in_child(threading.Event().wait, 600, lambda: True)


def test_the_child_has_no_hold_on_our_connections_and_output(capfd: pytest.CaptureFixture[str]):
    ours, theirs = socket.socketpair()

    def work() -> list[str]:
        print("not to be seen")
        try:
            theirs.sendall(b"x")
        except OSError as error:
            return [type(error).__name__, str(torch.get_num_threads())]
        return []

    with ours, theirs:
        assert run_in_child(work, 60) == ["OSError", "1"]
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
    assert capfd.readouterr() == ("", "")


def test_a_parallel_operation_before_does_not_hang_the_child():
    def multiply() -> float:
        return float((torch.ones(600, 600) @ torch.ones(600, 600)).sum())

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run_in_child(multiply, 60) == multiply()
        assert run_in_child(multiply, 60) == multiply()
    finally:
        torch.set_num_threads(threads)
