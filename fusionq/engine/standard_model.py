"""StandardModel: trains almost any network on (inputs, targets)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.base_model import BaseModel
from fusionq.engine.data.batches import batch_length, to_device
from fusionq.engine.metrics import Metric


class StandardModel(BaseModel):
    """One network, batches of (inputs, targets), and a loss that is a mean over the batch."""

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
        optimizer.zero_grad()
        outputs = self.model(inputs)
        loss = loss_fn(outputs, targets)
        loss.backward()
        optimizer.step()
        running_loss.add_(loss, weight=batch_length(inputs))
        outputs = outputs.detach()
        for metric in train_metrics:
            metric.update(outputs, targets)

    def __eval_function__(self, data: Any, metrics: Sequence[Metric]) -> None:
        inputs, targets = to_device(data, self.device)
        outputs = self.model(inputs)
        for metric in metrics:
            metric.update(outputs, targets)

    def __predict_func__(self, inputs: Any) -> Any:
        return self.model(inputs)
