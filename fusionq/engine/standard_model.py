"""StandardModel: trains almost any network on (inputs, targets)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.base_model import BaseModel
from fusionq.engine.data.batches import to_device
from fusionq.engine.data.sample_count import batch_length
from fusionq.engine.metrics import Metric


class StandardModel(BaseModel):
    """One network, batches of (inputs, targets), and a loss that is a mean over the batch."""

    _cannot_measure_loss = False

    def __train_func__(
        self,
        data: Any,
        optimizer: Optimizer,
        loss_fn: Callable[..., Tensor],
        train_metrics: Sequence[Metric],
        running_loss: RunningLoss,
        epoch: int,
        batch_num: int,
    ) -> None:
        inputs, targets = to_device(data, self.device)
        outputs, loss = self._forward_and_backward(inputs, targets, optimizer, loss_fn)
        self.stepper.end_batch(optimizer)
        running_loss.add_(loss, weight=batch_length(inputs))
        for metric in train_metrics:
            metric.update(outputs, targets)

    def __eval_function__(
        self,
        data: Any,
        metrics: Sequence[Metric],
        loss_fn: Callable[..., Tensor] | None = None,
        running_loss: RunningLoss | None = None,
    ) -> None:
        inputs, targets = to_device(data, self.device)
        with self.autocast():
            outputs = self.model(inputs)
            if loss_fn is not None and running_loss is not None:
                self._add_loss(loss_fn, outputs, targets, batch_length(inputs), running_loss)
        for metric in metrics:
            metric.update(outputs, targets)

    def _add_loss(
        self, loss_fn: Callable[..., Tensor], outputs: Any, targets: Any, size: int, running_loss: RunningLoss
    ) -> None:
        """The loss of data that is only measured; targets that it cannot take do not end the job."""
        # No number where there is none, and so for all the data: a mean over the rest would look like one.
        loss = torch.full((), math.nan, device=self.device)
        try:
            if not self._cannot_measure_loss:
                loss = loss_fn(outputs, targets)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            self._cannot_measure_loss = True
            reason = " ".join(str(error).split())[:200]
            self.stepper.warn(f"the loss cannot be measured on the data to test on ({reason})")
        running_loss.add_(loss, weight=size)

    def __predict_func__(self, inputs: Any) -> Any:
        with self.autocast():
            return self.model(inputs)

    def _forward_and_backward(
        self, inputs: Any, targets: Any, optimizer: Optimizer, loss_fn: Callable[..., Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Outputs and mean loss of a batch; when memory runs out, the same batch again in smaller parts."""
        while True:
            try:
                if self.stepper.parts == 1:
                    return self._one_part(inputs, targets, loss_fn, 1.0)
                return self._in_parts(inputs, targets, loss_fn)
            except torch.OutOfMemoryError:
                # Earlier batches of an accumulation cannot be told apart from this one's half-made gradients.
                can_halve = self.stepper.can_halve and self.stepper.is_between_steps
                if not can_halve or 2 * self.stepper.parts > batch_length(inputs):
                    raise
            optimizer.zero_grad()
            self.stepper.halve_parts(batch_length(inputs))

    def _one_part(
        self, inputs: Any, targets: Any, loss_fn: Callable[..., Tensor], share: float
    ) -> tuple[Tensor, Tensor]:
        with self.autocast():
            outputs = self.model(inputs)
            loss = loss_fn(outputs, targets)
        self.stepper.backward(loss, share)
        return outputs.detach(), loss.detach()

    def _in_parts(
        self, inputs: Tensor, targets: Tensor, loss_fn: Callable[..., Tensor]
    ) -> tuple[Tensor, Tensor]:
        size = batch_length(inputs)
        outputs, losses = [], []
        for some, theirs in zip(
            inputs.chunk(self.stepper.parts), targets.chunk(self.stepper.parts), strict=True
        ):
            share = batch_length(some) / size
            output, loss = self._one_part(some, theirs, loss_fn, share)
            outputs.append(output)
            losses.append(loss * share)
        return torch.cat(outputs), torch.stack(losses).sum()
