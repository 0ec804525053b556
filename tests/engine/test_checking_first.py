"""The worker's own check: at the first attempt, and without a trace in what is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fusionq.engine.checking import check_first
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


def test_a_later_attempt_has_passed(tmp_path: Path):
    assert check_first(job(job_spec("model._args_.1.out_features=100"), tmp_path, attempt=2)) == {}


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
