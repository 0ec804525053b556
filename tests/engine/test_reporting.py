"""What is told while a job trains: to the queue, and on the screen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fusionq as tf
from fusionq.spec.events import EpochEnd, Event, Progress, Started, Warned
from tests.engine.jobs import BATCHES, StopAfter, job_spec, network, run, run_with_stops, train


def test_the_world_is_told_of_start_progress_epochs_and_warnings(tmp_path: Path, looks_always: None) -> None:
    events: list[Event] = []
    run(job_spec("train.epochs=1"), tmp_path, report=events.append)
    started, *progress, end = events
    assert started == Started("cpu", 64 * 16 + 16 + 160 + 10, 1, BATCHES)
    assert [event.batch for event in progress if event.phase == "train"] == list(range(1, BATCHES + 1))
    assert {event.phase for event in progress} == {"train", "test"}
    assert all(isinstance(event, Progress) and event.num_batches >= event.batch for event in progress)
    assert "train_accuracy" in progress[0].values
    assert "test_accuracy" in progress[-1].values
    assert isinstance(end, EpochEnd)
    assert end.is_best
    assert progress[BATCHES - 1].values["train_loss"] == end.values["train_loss"]


def test_a_resumed_job_says_where_it_goes_on(tmp_path: Path) -> None:
    run(job_spec(), tmp_path, stop=StopAfter(4))
    events: list[Event] = []
    run(job_spec(), tmp_path, attempt=2, report=events.append)
    assert (events[0].epoch, events[0].batch) == (0, 4)


def test_replaced_data_is_told(tmp_path: Path) -> None:
    events: list[Event] = []
    mnist = "{_target_: MNIST, root: %s, download: false}" % (tmp_path / "missing")
    run(
        job_spec(
            f"data.train={mnist}", "data.offline=digits", "train.epochs=1", "model._args_.1.in_features=784"
        ),
        tmp_path,
        report=events.append,
    )  # fmt: skip
    (warning,) = (event for event in events if isinstance(event, Warned))
    assert "TRAINING ON scikit-learn's digits INSTEAD" in warning.text
    assert warning.text in json.loads((tmp_path / "environment.json").read_text())["data"]


def test_a_model_summary_is_printed_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_with_stops(job_spec(), tmp_path / "plain", [])
    run_with_stops(job_spec("callbacks=[ModelSummary]"), tmp_path / "told", [])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Linear_1")]
    assert "1,040" in line
    plain, told = ((tmp_path / name / "history.json").read_text() for name in ("plain", "told"))
    assert plain == told


def test_the_bar_shows_loss_and_metrics_also_in_short_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"train_metrics": [tf.Accuracy()], "batch_log": True}
    history = train(tf.StandardModel(network()), tmp_path, num_epochs=2, **more)
    frames = capsys.readouterr().err.split("\r")
    for row in history.rows:
        words = f"train_loss={row['train_loss']:.4f}, train_accuracy={row['train_accuracy']:.4f}"
        assert any(f"epoch {row['epoch']}/2" in frame and words in frame for frame in frames)
