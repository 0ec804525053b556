"""Words for people."""

from __future__ import annotations

import time

import click
import pytest

from fusionq.cli import words
from fusionq.spec.progress import share_done
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from tests.worker.fakes import EPOCH, STARTED

PROGRESS = {"kind": "progress", "epoch": 2, "num_epochs": 4, "num_batches": 10, "batch": 5}


def record(**fields) -> JobRecord:
    return JobRecord(**{"id": "abc", "name": "tiny", "status": Status.QUEUED, **fields})


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        ({}, 0.0),
        (STARTED, 0.0),
        ({**STARTED, "epoch": 1}, 0.5),  # it went on after one epoch of two
        ({**STARTED, "num_epochs": 1, "num_batches": 4, "batch": 1}, 0.25),
        ({**PROGRESS, "phase": "train"}, 0.375),  # epoch 2 of 4, half through
        ({**PROGRESS, "phase": "test"}, 0.5),
        ({**PROGRESS, "phase": "train", "num_batches": 0, "batch": 7}, 0.25),  # of a stream
        (EPOCH, 0.5),
        ({**EPOCH, "epoch": 2}, 1.0),
    ],
)
def test_the_share_that_is_done(progress: dict, share: float):
    assert share_done(progress) == pytest.approx(share)


def test_values_are_short_and_the_epoch_is_none_of_them():
    values = {"epoch": 3, "train_loss": 0.123456, "test_accuracy": 1.0}
    assert words.values_text(values) == "train_loss 0.1235  test_accuracy 1"
    assert words.values_text({}) == ""


def test_every_state_has_a_colour():
    for state in [*Status, *Outcome]:
        if state is not Status.FINISHED:  # shown by its outcome
            assert click.unstyle(words.coloured(str(state))) == str(state).replace("_", " ")
            assert words.coloured(str(state)) != str(state)


def test_the_age_counts_from_the_submission():
    assert words.age(record(submitted_at=time.time() - 3600)) == "1h 00m"
    assert words.age(record(submitted_at=time.time() + 5)) == "0.0s", "clocks differ"


def test_a_job_that_never_ran_has_no_duration():
    assert words.duration(record()) == ""


def test_the_duration_of_a_job_ends_with_it():
    assert words.duration(record(started_at=100.0, finished_at=142.0)) == "42s"
    assert words.duration(record(started_at=time.time() - 90)) == "1m 30s"


def test_the_end_of_a_job_is_told_with_its_reason_and_its_files(capsys: pytest.CaptureFixture[str]):
    done = record(
        status=Status.FINISHED,
        outcome=Outcome.FAILED,
        reason="ValueError: odd",
        warning="other data",
        started_at=1.0,
        finished_at=43.0,
        run_dir="/runs/abc",
    )
    words.say_end(done)
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line.strip() for line in click.unstyle(said.err).splitlines()]
    assert lines[0] == "failed in 42s  tiny (abc): ValueError: odd"
    assert "warning  other data" in lines
    assert any(line.startswith("log") and line.endswith("/runs/abc/output.log") for line in lines)


def test_the_end_of_a_good_job_names_its_best_epoch_and_its_model():
    result = {
        "best_epoch": 3,
        "monitor": "test_accuracy",
        "best_value": 0.97531,
        "best_model": "/runs/abc/best_models/model_3.pth",
        "values": {"epoch": 4, "train_loss": 0.1},
    }
    done = record(status=Status.FINISHED, outcome=Outcome.SUCCEEDED, result=result, run_dir="/runs/abc")
    facts = dict(words.end_facts(done))
    assert facts["best"] == "epoch 3, test_accuracy 0.9753"
    assert facts["last"] == "train_loss 0.1"
    assert facts["model"] == "/runs/abc/best_models/model_3.pth"
    assert facts["plots"] == "/runs/abc/plots"


def test_a_job_without_a_best_epoch_names_the_plots_that_it_has():
    result = {"best_epoch": 0, "best_model": "/runs/abc/best_models/model_3.pth", "values": {"epoch": 3}}
    done = record(status=Status.FINISHED, outcome=Outcome.SUCCEEDED, result=result, run_dir="/runs/abc")
    assert dict(words.end_facts(done))["plots"] == "/runs/abc/plots"


def test_a_job_that_never_ran_has_nothing_to_show():
    assert words.end_facts(record()) == []
