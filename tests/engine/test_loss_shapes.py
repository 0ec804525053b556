"""Outputs and targets of different shapes, which a loss would stretch to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import fusionq as tf
from fusionq.engine.loss_shapes import shape_mistake
from fusionq.errors import LossError
from tests.engine.jobs import train


@pytest.mark.parametrize(
    ("outputs", "targets", "is_wrong"),
    [
        ((16, 1), (16,), True),
        ((16,), (16, 1), True),
        ((10, 10), (10,), True),
        ((16, 1, 5), (16, 5), True),
        ((16, 3), (16, 3), False),
        ((16, 1), (), False),
        ((1,), (), False),  # the last batch of an epoch, squeezed
        ((8, 3, 4, 4), (8, 1, 4, 4), False),
        ((16, 2), (16,), False),  # torch refuses these itself
    ],
)
def test_shapes_that_are_stretched_by_mistake(outputs: Any, targets: Any, is_wrong: bool) -> None:
    mistake = shape_mistake(nn.MSELoss(), torch.ones(outputs), torch.ones(targets))
    assert (mistake is not None) == is_wrong
    assert shape_mistake(nn.CrossEntropyLoss(), torch.ones(16, 1), torch.ones(16)) is None


class Own(tf.BaseModel):
    """A trainer of one's own."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        loss = loss_fn(self.model(inputs), targets)
        self.optimize(loss, optimizer)
        running_loss.add_(loss, weight=len(inputs))


@pytest.mark.parametrize("trainer", [tf.StandardModel, Own])
@pytest.mark.parametrize("loss_fn", [nn.HuberLoss(), functional.l1_loss])
def test_training_ends_at_the_first_batch(trainer: Any, loss_fn: Any, tmp_path: Path) -> None:
    data = DataLoader(TensorDataset(torch.ones(8, 4), torch.ones(8)), batch_size=4)
    with pytest.raises(LossError, match=r"loss: \w+ would stretch outputs of shape \(4, 1\) and targets"):
        train(trainer(nn.Linear(4, 1)), tmp_path, train_loader=data, loss_fn=loss_fn)
    assert not getattr(loss_fn, "_forward_pre_hooks", None)
