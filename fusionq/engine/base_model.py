"""BaseModel: the trainer that you extend with three hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.console import EpochLines, ProgressBar
from fusionq.engine.callbacks.files import EpochLog, HistoryFile
from fusionq.engine.callbacks.models import ModelFiles
from fusionq.engine.callbacks.plots import Plots
from fusionq.engine.callbacks.schedule import LrSchedule
from fusionq.engine.data.batches import as_batches, to_device
from fusionq.engine.history import History
from fusionq.engine.metrics import Metric
from fusionq.engine.training import Training
from fusionq.errors import HookError
from fusionq.spec.paths import RunPaths

_HOOK_ALIASES = {"__eval_func__": "__eval_function__", "__predict_function__": "__predict_func__"}


class BaseModel:
    """Extend it and say what one batch means; epochs, logs, files and resuming are done for you.

    Override `__train_func__`, `__eval_function__` (also spelled `__eval_func__`) and `__predict_func__`
    (also spelled `__predict_function__`). The model is moved to the GPU where there is one.
    """

    def __init__(self, model: nn.Module, use_cuda_if_available: bool = True) -> None:
        self.cuda = use_cuda_if_available and torch.cuda.is_available()
        self.device = torch.device("cuda" if self.cuda else "cpu")
        self.model = model.to(self.device)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for alias, name in _HOOK_ALIASES.items():
            if alias in vars(cls):
                if name in vars(cls):
                    raise HookError(
                        f"{cls.__name__} defines both {alias} and {name}; they are one hook, keep one"
                    )
                setattr(cls, name, vars(cls)[alias])

    # --- hooks -----------------------------------------------------------------------------------

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
        """Train on one batch: step the optimizer, add the loss over its samples, update the metrics.

        `epoch` counts from 1, `batch_num` from 0.
        """
        raise HookError(f"{type(self).__name__} must define __train_func__")

    def __eval_function__(self, data: Any, metrics: Sequence[Metric]) -> None:
        """Update the metrics with one batch."""
        raise HookError(f"{type(self).__name__} must define __eval_function__ to be tested")

    def __predict_func__(self, inputs: Any) -> Any:
        """The outputs for a batch of inputs."""
        raise HookError(f"{type(self).__name__} must define __predict_func__ to predict")

    # --- what you call -----------------------------------------------------------------------------

    def train(
        self,
        train_loader: Iterable[Any],
        loss_fn: Callable[..., Tensor],
        optimizer: Optimizer,
        train_metrics: Sequence[Metric] = (),
        test_loader: Iterable[Any] | None = None,
        test_metrics: Sequence[Metric] = (),
        num_epochs: int = 10,
        lr_schedule: Callable[[int], float] | None = None,
        save_models: str = "all",
        model_dir: str | Path = ".",
        save_metrics: bool = False,
        notebook_mode: bool = False,
        batch_log: bool = True,
        save_logs: str | Path | None = None,
        *,
        lr_scheduler: LRScheduler | None = None,
        monitor: str | None = None,
        mode: str | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> History:
        """Train for `num_epochs` and return the history, one row per epoch.

        lr_schedule: the learning rate of each epoch, called with its number from 1.
        save_models: "all" keeps every epoch in all_models/, "best" only the best, in best_models/.
        model_dir: where models, history and plots go.
        save_metrics: draw plots of the loss and the metrics into model_dir after every epoch.
        batch_log: show a progress bar over the batches; notebook_mode makes it a notebook's.
        save_logs: a file that gets one line per epoch.
        monitor, mode: which value decides the best epoch, and whether "min" or "max" of it is better.
        """
        paths = RunPaths(Path(model_dir))
        chosen: list[Callback] = [ModelFiles(paths, save_models), HistoryFile(paths.history)]
        if lr_schedule:
            chosen.insert(0, LrSchedule(lr_schedule))
        if save_metrics:
            chosen.append(Plots(paths, every_epoch=True))
        if save_logs:
            chosen.append(EpochLog(Path(save_logs)))
        if batch_log:
            chosen.append(ProgressBar(notebook=notebook_mode))
        training = Training(
            self,
            as_batches(train_loader),
            loss_fn,
            optimizer,
            train_metrics,
            as_batches(test_loader) if test_loader is not None else None,
            test_metrics,
            num_epochs=num_epochs,
            lr_scheduler=lr_scheduler,
            monitor=monitor,
            mode=mode,
            callbacks=[*chosen, EpochLines(), *callbacks],
        )
        training.run()
        return training.history

    def evaluate(self, test_loader: Iterable[Any], metrics: Sequence[Metric]) -> dict[str, float]:
        """The value of each metric over all batches, by the metric's name. The model is left in eval mode."""
        for metric in metrics:
            metric.reset()
        self.model.eval()
        with torch.no_grad():
            for batch in as_batches(test_loader).epoch(0):
                self.__eval_function__(batch, metrics)
        return {metric.name: float(metric.result()) for metric in metrics}

    def predict(self, inputs: Any) -> Any:
        """Outputs for a tensor of inputs, or, joined on the CPU, for a loader of (inputs, …)."""
        self.model.eval()
        with torch.no_grad():
            if isinstance(inputs, Tensor):
                return self.__predict_func__(to_device(inputs, self.device))
            outputs = []
            for batch in as_batches(inputs).epoch(0):
                first = batch[0] if isinstance(batch, tuple | list) else batch
                outputs.append(self.__predict_func__(to_device(first, self.device)).cpu())
            return torch.cat(outputs)
