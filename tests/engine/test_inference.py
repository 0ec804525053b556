"""Evaluation and prediction as jobs: of a file, or of the best model of another job."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fusionq as tf
from tests.engine.jobs import JOB, StopAfter, job_spec, network, run

NO_DROPOUT = "model._args_.3={_target_: Identity}"


def inference_spec(task: str, source: str, *more: str) -> Any:
    return job_spec(f"task={task}", f"model.from={source}", NO_DROPOUT, *more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs, with one that trained."""
    folder = tmp_path_factory.mktemp("runs")
    assert "Dropout" in JOB
    run(job_spec(NO_DROPOUT, "train.epochs=3"), folder / "trained")
    return folder


def expected(runs: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of the trained model, and the true classes."""
    result = json.loads((runs / "trained" / "result.json").read_text())
    net = nn.Sequential(tf.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Identity(), nn.Linear(16, 10))
    net.load_state_dict(torch.load(result["best_model"], weights_only=True))
    data = tf.Digits(train=False, size=8)
    with torch.no_grad():
        return net(data.data[:, None] / 255), data.targets


def test_an_evaluation_measures_the_best_model_of_another_job(runs: Path) -> None:
    result = run(inference_spec("evaluate", "trained"), runs / "evaluated")
    outputs, targets = expected(runs)
    share = outputs.argmax(1).eq(targets).double().mean().item()
    loss = nn.functional.cross_entropy(outputs, targets).item()
    assert result["values"] == {"test_loss": pytest.approx(loss), "test_accuracy": pytest.approx(share)}
    trained = json.loads((runs / "trained" / "result.json").read_text())
    assert result["values"]["test_accuracy"] == trained["best_value"]
    written = json.loads((runs / "evaluated" / "result.json").read_text())
    assert result.items() <= written.items()
    assert (written["id"], written["name"], written["outcome"]) == ("evaluated", "tiny", "succeeded")
    assert datetime.fromisoformat(written["started"]) <= datetime.fromisoformat(written["finished"])
    assert not (runs / "evaluated" / "checkpoints").exists()


def test_a_prediction_writes_the_outputs_in_the_order_of_the_data(runs: Path) -> None:
    result = run(inference_spec("predict", "trained"), runs / "predicted")
    outputs, _ = expected(runs)
    assert result["predictions"] == 360
    assert result["files"] == [str(runs / "predicted" / f"predictions.{form}") for form in ("npz", "csv")]
    with np.load(runs / "predicted" / "predictions.npz") as arrays:
        assert np.allclose(arrays["outputs"], outputs, atol=1e-5)
        held = arrays["outputs"]
    rows = list(csv.DictReader((runs / "predicted" / "predictions.csv").open()))
    assert list(rows[0]) == ["index", "class", *(f"output_{i}" for i in range(10))]
    assert [int(row["index"]) for row in rows] == list(range(360))
    assert [int(row["class"]) for row in rows] == held.argmax(1).tolist()
    assert float(rows[7]["output_3"]) == pytest.approx(float(held[7, 3]))


def test_outputs_that_are_no_scores_have_no_class(runs: Path) -> None:
    spec = job_spec(
        "task=predict",
        "model={_target_: fusionq.Flatten, from: nothing}",
        "data.batch_size=100",
        f"trainer={__name__}.Sums",
    )
    torch.save({}, runs / "nothing")
    (runs / "sums").mkdir()
    (runs / "sums" / "nothing").write_bytes((runs / "nothing").read_bytes())
    run(spec, runs / "sums")
    rows = list(csv.DictReader((runs / "sums" / "predictions.csv").open()))
    assert list(rows[0]) == ["index", "output_0"]
    assert len(rows) == 360


class Sums(tf.StandardModel):
    """One number for each sample."""

    def __predict_func__(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model(inputs).sum(1)


def test_weights_may_come_from_a_file(runs: Path) -> None:
    folder = runs / "from-file"
    folder.mkdir()
    torch.manual_seed(4)
    net = nn.Sequential(tf.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Identity(), nn.Linear(16, 10))
    torch.save(net.state_dict(), folder / "weights.pth")
    run(inference_spec("predict", "weights.pth"), folder)
    with np.load(folder / "predictions.npz") as arrays, torch.no_grad():
        theirs = net.eval()(tf.Digits(train=False, size=8).data[:, None] / 255)
        assert np.allclose(arrays["outputs"], theirs, atol=1e-5)


def test_a_training_may_begin_with_another_jobs_weights(runs: Path) -> None:
    spec = job_spec(NO_DROPOUT, "model.from=trained", "train.epochs=1", "optimizer={_target_: SGD, lr: 0.0}")
    result = run(spec, runs / "continued")
    trained = json.loads((runs / "trained" / "result.json").read_text())
    assert result["best_value"] == trained["best_value"]


@pytest.mark.parametrize("task", ["evaluate", "predict"])
def test_a_stop_ends_them_without_a_result(task: str, runs: Path) -> None:
    folder = runs / f"stopped-{task}"
    assert run(inference_spec(task, "trained"), folder, stop=StopAfter(1)) is None
    assert not (folder / "result.json").exists()
    assert not (folder / "predictions.npz").exists()


def test_no_gradients_are_kept_while_predicting() -> None:
    seen = []

    class Watching(tf.StandardModel):
        def __predict_func__(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append((torch.is_grad_enabled(), self.model.training))
            return super().__predict_func__(inputs)

    Watching(network()).predict(torch.zeros(2, 1, 8, 8))
    assert seen == [(False, False)]
