"""What a user gets wrong is one clear error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import fusionq as tf
from fusionq.errors import CheckpointError, DataError, MetricError, TargetError
from tests.engine.jobs import job_spec, loader, network, run, train


class NotATrainer:
    def __init__(self, model: Any) -> None:
        pass


class NotAPart:
    pass


def not_a_module() -> Any:
    return "a model"


HERE = __name__


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (f"trainer={HERE}.NotATrainer", f"trainer: {HERE}.NotATrainer is not a class that extends fusionq"),
        ("trainer=math.sqrt", "trainer: math.sqrt is not a class that extends fusionq.BaseModel"),
        (f"model={{_target_: {HERE}.not_a_module}}", f"model: {HERE}.not_a_module is not a torch.nn.Module"),
        (f"callbacks=[{{_target_: {HERE}.NotAPart}}]", "callbacks.0: NotAPart does not extend"),
        (f"metrics.test=[{{_target_: {HERE}.NotAPart}}]", "metrics.test.0: NotAPart is neither a fusionq"),
        ("optimizer.lr=-1.0", "optimizer: Adam: ValueError: Invalid learning rate"),
        ("lr_scheduler={_target_: ReduceLROnPlateau, mode: up}", "lr_scheduler: ReduceLROnPlateau: Value"),
    ],
)  # fmt: skip
def test_a_part_of_the_wrong_kind_is_named_with_its_place(override: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=words):
        run(job_spec(override), tmp_path)


def test_a_monitor_that_there_is_not_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=r"checkpoint.monitor: there is no value 'test_top9'; this job has"):
        run(job_spec("checkpoint.monitor=test_top9"), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


class Shapeless(tf.Metric):
    """Gives a number for each class where one number is asked for."""

    value: Any = torch.ones(3)

    def reset(self) -> None:
        pass

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        pass

    def result(self) -> Any:
        return self.value


@pytest.mark.parametrize("value", [torch.ones(3), None, "much"])
def test_a_metric_that_gives_no_number_is_named(value: Any, tmp_path: Path) -> None:
    metric = Shapeless("per class")
    metric.value = value
    with pytest.raises(MetricError, match=r"the metric 'per class' gave .*; its result must be one number"):
        train(tf.StandardModel(network()), tmp_path, train_metrics=[metric])


def test_a_metric_that_does_not_fit_the_outputs_says_the_shapes(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=r"MSE needs .*one shape; it got \(144, 10\) and \(144,\)"):
        train(tf.StandardModel(network()), tmp_path, train_metrics=[tf.MSE()])


@pytest.mark.parametrize("empty", [[], DataLoader([], batch_size=4)])
def test_a_loader_that_yields_nothing_is_said(empty: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the training data yields no batch"):
        train(tf.StandardModel(network()), tmp_path, train_loader=empty)
    with pytest.raises(DataError, match="the data to predict yields no batch"):
        tf.StandardModel(network()).predict(empty)


def test_batches_whose_samples_nothing_tells_can_be_trained_on(tmp_path: Path) -> None:
    class Silent(tf.BaseModel):
        def __train_func__(self, *arguments):
            pass

    (row,) = train(Silent(network()), tmp_path, train_loader=[["a", 1], ["b", 2]]).rows
    assert math.isnan(row["train_loss"])


def test_data_that_are_no_loader_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="generator is not"):
        train(tf.StandardModel(network()), tmp_path, train_loader=(batch for batch in loader()))
    assert list(tmp_path.iterdir()) == []


def test_a_model_file_that_is_not_there_or_does_not_fit_is_said(tmp_path: Path) -> None:
    trainer = tf.StandardModel(network())
    with pytest.raises(CheckpointError, match=r"model.pth: no such model file"):
        trainer.load_model(tmp_path / "model.pth")
    tf.StandardModel(network(hidden=5)).save_model(tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"does not fit this model: .*size mismatch"):
        trainer.load_model(tmp_path / "model.pth")
    (tmp_path / "model.pth").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="does not fit this model"):
        trainer.load_model(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("source", "words"),
    [("nobody", "neither a file .*nobody nor a finished run"), ("text", "no file of weights")],
)
def test_weights_that_cannot_be_had_are_said(source: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(CheckpointError, match=f"model.from: .*{words}"):
        run(job_spec(f"model.from={source}"), tmp_path)


def test_an_error_in_the_model_itself_comes_through_unchanged(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        train(tf.StandardModel(nn.Sequential(tf.Flatten(), nn.Linear(3, 10))), tmp_path)
