"""Going once over data to measure a model on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.data.batches import Batches
from fusionq.engine.eval_hook import call_eval_hook, measures_loss
from fusionq.engine.metrics import Metric
from fusionq.engine.ranks import ALONE

if TYPE_CHECKING:
    from fusionq.engine.base_model import BaseModel


class Evaluation:
    """`begin`, `add` for each batch, then read the metrics and the `loss`."""

    def __init__(
        self, trainer: BaseModel, metrics: Sequence[Metric], loss_fn: Callable[..., Tensor] | None
    ) -> None:
        self._trainer = trainer
        self._metrics = metrics
        self._loss_fn = loss_fn
        self._has_loss = measures_loss(type(trainer), loss_fn is not None)
        self._running_loss = RunningLoss()

    def begin(self, batches: Batches) -> Iterator[Any]:
        """The batches, with everything reset. The model goes to eval mode."""
        for metric in self._metrics:
            metric.reset()
        self._batches = batches
        self._trainer.model.eval()
        return batches.epoch(0)

    def add(self, batch: Any, number: int) -> None:
        with torch.no_grad():
            call_eval_hook(self._trainer, batch, self._metrics, self._loss_fn, self._running_loss)
        if self._has_loss:
            self._running_loss.count_batch(ALONE.samples_in(self._batches, number, batch))

    def loss(self) -> float | None:
        """The mean over all samples; None where it was not measured."""
        samples = self._running_loss.samples
        return self._running_loss.total() / samples if samples else None
