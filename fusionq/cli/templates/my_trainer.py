"""Training steps of your own; the epochs, the logs, the files and resuming are done for you."""

from typing import Any

import torch

import fusionq


class MyTrainer(fusionq.BaseModel):
    """Named by `trainer: my_trainer.MyTrainer`; arguments of its own stand beside it, in a block."""

    def __train_func__(
        self,
        data: tuple[torch.Tensor, torch.Tensor],
        optimizer: torch.optim.Optimizer,
        loss_fn: Any,
        train_metrics: list[Any],
        running_loss: Any,
        epoch: int,
        batch_num: int,
    ) -> None:
        """One step on a batch; the loss counts by its samples, and nothing waits for the device."""
        inputs, targets = data
        with self.autocast():  # computes in train.precision
            outputs = self.model(inputs)
            loss = loss_fn(outputs, targets)
        self.optimize(loss, optimizer)  # backward, step and zero_grad
        running_loss.add_(loss, weight=len(inputs))
        for metric in train_metrics:
            metric.update(outputs.detach(), targets)

    def __eval_function__(
        self,
        data: tuple[torch.Tensor, torch.Tensor],
        metrics: list[Any],
        loss_fn: Any,
        running_loss: Any,
    ) -> None:
        """Measures a batch; gradients are off and the model is in eval mode."""
        inputs, targets = data
        with self.autocast():
            outputs = self.model(inputs)
            running_loss.add_(loss_fn(outputs, targets), weight=len(inputs))
        for metric in metrics:
            metric.update(outputs, targets)

    def __predict_func__(self, inputs: torch.Tensor) -> torch.Tensor:
        """The outputs for a batch of inputs."""
        with self.autocast():
            return self.model(inputs)
