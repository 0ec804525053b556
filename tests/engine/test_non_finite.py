"""A loss that is no finite number ends the job, names its place, and keeps the last good state."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import fusionq as tf
from fusionq.engine import training
from fusionq.errors import NonFiniteLossError
from tests.engine.jobs import StopAfter, job_spec, last_state, loader, network, run, train


class Breaks(tf.StandardModel):
    """Its loss is broken from one batch on, as its weights would be."""

    place = (2, 4)  # epoch from 1, batch from 0
    value = math.nan

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        broken = (epoch, batch_num) >= self.place

        def breaking(outputs: Any, targets: Any) -> torch.Tensor:
            return loss_fn(outputs, targets) * (self.value if broken else 1.0)

        super().__train_func__(data, optimizer, breaking, train_metrics, running_loss, epoch, batch_num)


BREAKING = f"trainer={__name__}.Breaks"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_error_names_epoch_and_batch(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Breaks, "value", value)
    with pytest.raises(NonFiniteLossError, match=r"non-finite loss at epoch 2, batch 5$") as caught:
        run(job_spec(BREAKING, "train.epochs=3"), tmp_path)
    assert caught.value.failure_class == "non_finite_loss"


def test_the_last_good_checkpoint_is_kept(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError):
        run(job_spec(BREAKING, "train.epochs=3"), tmp_path)
    state = last_state(tmp_path)
    assert (state["epoch"], state["batch"]) == (1, 0)
    assert all(weight.isfinite().all() for weight in state["model"].values())


def test_frequent_checkpoints_do_not_push_out_the_last_good_one(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="epoch 2, batch 5"):
        run(job_spec(BREAKING, "train.epochs=3", "checkpoint.every=1ba"), tmp_path)
    state = last_state(tmp_path)
    assert (state["epoch"], state["batch"]) == (1, 4)
    assert all(weight.isfinite().all() for weight in state["model"].values())


def test_a_job_that_is_stopped_does_not_save_what_is_lost(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="epoch 2, batch 5"):
        run(job_spec(BREAKING, "train.epochs=3"), tmp_path, stop=StopAfter(10 + 1 + 7))
    assert last_state(tmp_path)["epoch"] == 1


def test_it_is_noticed_at_the_next_look_within_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LOG_INTERVAL_S", 0.0)
    batches = []

    class Noting(Breaks):
        def __train_func__(self, *arguments):
            batches.append(arguments[-1])
            super().__train_func__(*arguments)

    monkeypatch.setattr(Breaks, "place", (1, 2))
    with pytest.raises(NonFiniteLossError, match="epoch 1, batch 3"):
        train(Noting(network()), tmp_path, train_loader=loader())
    assert batches == [0, 1, 2]
