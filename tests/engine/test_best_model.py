"""Which epoch is the best, whose model is kept, and when training ends early."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import fusionq as tf
from fusionq.spec.events import Event, Warned
from tests.engine import scripted
from tests.engine.jobs import job_spec, loader, network, run, train
from tests.engine.scripted import best_models


def test_only_the_best_model_is_kept(tmp_path: Path) -> None:
    assert best_models(tmp_path, [-0.5, -0.2, -0.4, -0.2]) == ["model_2.pth"]


def test_a_new_training_in_the_folder_of_an_old_one_keeps_its_own_best(tmp_path: Path) -> None:
    assert best_models(tmp_path, [0.1, 0.2, 0.3]) == ["model_3.pth"]
    assert best_models(tmp_path, [0.1, 0.5, 0.2]) == ["model_2.pth"]


def test_several_best_models_are_kept_where_asked_for(tmp_path: Path) -> None:
    spec = job_spec(
        "checkpoint.keep_best=2", "train.epochs=5", "checkpoint.monitor=train_loss", "optimizer.lr=0.001"
    )
    run(spec, tmp_path)
    assert sorted(path.name for path in (tmp_path / "best_models").iterdir()) == [
        "model_4.pth",
        "model_5.pth",
    ]


def test_saved_models_are_plain_state_dicts(tmp_path: Path) -> None:
    run(job_spec("train.epochs=1", "train.ema=0.5"), tmp_path)
    held = torch.load(tmp_path / "best_models" / "model_1.pth", weights_only=True)
    assert list(held) == ["1.weight", "1.bias", "4.weight", "4.bias"]


def test_early_stopping_ends_after_its_patience(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = job_spec("train.early_stopping=3", "train.epochs=9", "optimizer={_target_: SGD, lr: 0.0}")
    result = run(spec, tmp_path)
    assert (result["epochs"], result["best_epoch"]) == (4, 1)
    assert result["ended_early"] == "no better test_accuracy since epoch 1"
    assert "ended early: no better test_accuracy since epoch 1" in capsys.readouterr().out
    again = run(spec, tmp_path, attempt=2)
    assert (again["epochs"], again["ended_early"]) == (4, result["ended_early"])


def test_a_job_that_gets_better_is_not_ended(tmp_path: Path) -> None:
    spec = job_spec("train.early_stopping=1", "train.epochs=3", "checkpoint.monitor=train_loss")
    result = run(spec, tmp_path)
    assert result["epochs"] == 3
    assert "ended_early" not in result


def test_the_last_model_is_kept_where_the_monitored_value_is_never_a_number(tmp_path: Path) -> None:
    events: list[Event] = []
    block = "metrics.test=[{_target_: tests.engine.scripted.Never}]"
    result = run(job_spec(block, "train.epochs=3"), tmp_path, report=events.append)
    assert result["best_model"] == str(tmp_path / "best_models" / "model_3.pth")
    assert [path.name for path in (tmp_path / "best_models").iterdir()] == ["model_3.pth"]
    assert (result["best_epoch"], result["best_value"]) == (0, None)
    first, last = (event.text for event in events if isinstance(event, Warned))
    assert first == "test_odd is nan in epoch 1; such an epoch is never the best"
    assert last == "test_odd was never a number, so no epoch is the best; the last model is kept"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_epoch_without_a_number_is_not_the_best(value: float, tmp_path: Path) -> None:
    model = tf.StandardModel(network())
    more = {"test_loader": loader(train=False, most=50), "test_metrics": [scripted.Never(value, good=2)]}
    train(model, tmp_path, num_epochs=3, save_models="best", train_loader=loader(most=50), **more)
    assert [path.name for path in (tmp_path / "best_models").iterdir()] == ["model_2.pth"]


def test_early_stopping_says_that_there_was_no_number(tmp_path: Path) -> None:
    block = "metrics.test=[{_target_: tests.engine.scripted.Never}]"
    result = run(job_spec(block, "train.epochs=3", "train.early_stopping=2"), tmp_path)
    assert result["ended_early"] == "test_odd was not a number in any of 2 epochs"
