"""BaseModel: the trainer that you extend with three hooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
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
from fusionq.engine.callbacks.overridden import overridden_hooks
from fusionq.engine.callbacks.plots import Plots, ShownPlots
from fusionq.engine.callbacks.schedule import LrSchedule
from fusionq.engine.data.batches import Batches, HookedBatches, as_batches, to_device
from fusionq.engine.data.rows import inputs_of
from fusionq.engine.data.seen_through import see_through
from fusionq.engine.devices import pick_device
from fusionq.engine.evaluation import Evaluation, Testing
from fusionq.engine.files import write_tensors
from fusionq.engine.history import History
from fusionq.engine.metrics import Metric
from fusionq.engine.state.kinds import keeps_nothing
from fusionq.engine.stepping import StepOptions, Stepper
from fusionq.engine.stopping import StopToken
from fusionq.engine.summary import Summary, summarize
from fusionq.engine.training import Training
from fusionq.errors import CheckpointError, DataError, HookError
from fusionq.spec.metric_keys import LOSS, TEST, VAL
from fusionq.spec.paths import ENV_RUN_DIR, RunPaths
from fusionq.spec.printable import one_line, text_of

_HOOK_ALIASES = {"__eval_func__": "__eval_function__", "__predict_function__": "__predict_func__"}
SAVE_MODELS = ("all", "best")


class BaseModel:
    """Extend it and say what one batch means; epochs, logs, files and resuming are done for you.

    Override `__train_func__`, `__eval_function__` (also spelled `__eval_func__`) and `__predict_func__`
    (also spelled `__predict_function__`). The model is moved to the GPU where there is one.
    """

    _run_dir: Path | None = None

    def __init__(self, model: nn.Module, use_cuda_if_available: bool = True) -> None:
        self.device = pick_device(use_cuda_if_available)
        self.cuda = self.device.type == "cuda"
        self.model = model.to(self.device)
        self.stepper = Stepper(self.model, self.device)
        self._input_hooks: list[Callable[[Any], Any]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for alias, name in _HOOK_ALIASES.items():
            if alias in vars(cls):
                if name in vars(cls):
                    raise HookError(
                        f"{cls.__name__} defines both {alias} and {name}; they are one hook, keep one"
                    )
                setattr(cls, name, vars(cls)[alias])
            elif name in vars(cls):
                setattr(cls, alias, vars(cls)[name])  # for whoever calls it by its other name

    # --- hooks that a trainer must define ------------------------------------------------------------

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

        `running_loss.add_(loss, weight=n)` takes a mean over n samples, `add_(loss * n)` their sum.

        `epoch` counts from 1, `batch_num` from 0.
        """
        raise HookError(f"{type(self).__name__} must define __train_func__")

    def __eval_function__(self, data: Any, metrics: Sequence[Metric]) -> None:
        """Update the metrics with one batch.

        A hook that takes `loss_fn` and `running_loss` as well measures the loss of the data that it sees:
        `running_loss.add_(loss_fn(outputs, targets), weight=len(inputs))`.
        """
        raise HookError(f"{type(self).__name__} must define __eval_function__ to be tested")

    def __predict_func__(self, inputs: Any) -> Any:
        """The outputs for a batch of inputs."""
        raise HookError(f"{type(self).__name__} must define __predict_func__ to predict")

    # --- hooks that a trainer may define; epochs count from 1, batches from 0 --------------------------

    def on_epoch_start(self, epoch: int) -> None:
        """Before an epoch, or before the rest of one; what it then changes of the state is undone."""

    def on_epoch_end(
        self,
        epoch: int,
        train_metrics: Sequence[Metric],
        test_metrics: Sequence[Metric],
        train_loss: float,
        duration: float,
    ) -> None:
        """After an epoch and its test; `duration` in seconds."""

    def on_batch_start(self, epoch: int, batch_num: int) -> None:
        """Before a training batch."""

    def on_batch_end(
        self, epoch: int, batch_num: int, train_metrics: Sequence[Metric], train_loss: float
    ) -> None:
        """After a training batch. Overriding it makes every batch wait for the device, to read the loss."""

    def on_training_completed(
        self, train_metrics: Sequence[Metric], test_metrics: Sequence[Metric], train_duration: float
    ) -> None:
        """After the last epoch; `train_duration` in seconds."""

    @keeps_nothing
    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps beside what it finds itself: override it together with `load_state_dict`.

        Found and kept without it are the model and, among the trainer's attributes, modules, optimizers,
        schedulers, scalers, tensors, arrays, random generators, numbers, texts, and lists, dicts, deques and
        objects of these.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave, after all else was put back."""

    def add_input_hook(self, hook: Callable[[Any], Any]) -> None:
        """Pass the inputs of every training batch through `hook` first."""
        self._input_hooks.append(hook)

    # --- what a trainer's hooks may call ---------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """The folder for files of the trainer's own, such as samples: what lies there is kept and downloaded.

        In a job it is the run folder, in `__init__` already. In a script it is the `model_dir` of the last
        call of `train`, and the current folder before.
        """
        return self._run_dir or Path(os.environ.get(ENV_RUN_DIR) or ".")

    @run_dir.setter
    def run_dir(self, folder: Path) -> None:
        self._run_dir = Path(folder)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for computing outputs and loss, in the precision that the job asks for."""
        return self.stepper.autocast()

    def optimize(self, loss: Tensor, optimizer: Optimizer, samples: float | None = None) -> None:
        """Instead of backward, step and zero_grad: with scaling and accumulation as the job asks for.

        `loss` is a mean. Batches that make a step together count by their samples; `samples` says what the
        loss is a mean over where that is something else, such as tokens.
        """
        self.stepper.optimize(loss, optimizer, samples)

    # --- what you call -----------------------------------------------------------------------------

    def train(
        self,
        train_loader: Iterable[Any],
        loss_fn: Callable[..., Tensor],
        optimizer: Optimizer,
        train_metrics: Sequence[Metric] = (),
        test_loader: Iterable[Any] | None = None,
        test_metrics: Sequence[Metric] | None = None,
        num_epochs: int = 10,
        lr_schedule: Callable[[int], float] | None = None,
        save_models: str = "all",
        model_dir: str | Path = ".",
        notebook_mode: bool = False,
        batch_log: bool = True,
        save_logs: str | Path | None = None,
        display_metrics: bool = False,
        save_metrics: bool = True,
        *,
        val_loader: Iterable[Any] | None = None,
        val_metrics: Sequence[Metric] | None = None,
        lr_scheduler: LRScheduler | None = None,
        steps_lr_per_batch: bool = False,
        monitor: str | None = None,
        mode: str | None = None,
        options: StepOptions | None = None,
        callbacks: Sequence[Callback] = (),
        stop: StopToken | None = None,
    ) -> History:
        """Train for `num_epochs` and return the history, one row per epoch.

        lr_schedule: the learning rate of each epoch, called with its number from 1.
        save_models: "all" keeps every epoch in all_models/, "best" only the best, in best_models/.
        model_dir: where models, history and plots go.
        batch_log: show a progress bar over the batches; notebook_mode makes it a notebook's.
        save_logs: a file that gets one line per epoch.
        display_metrics, save_metrics: show plots of the loss and the metrics after every epoch, or draw
            them into model_dir.
        val_loader, val_metrics: data that decides the best epoch, apart from the test data.
        monitor, mode: which value decides the best epoch, and whether "min" or "max" of it is better.
        options: precision, accumulation, clipping, warm-up, averaged weights.
        """
        if save_models not in SAVE_MODELS:
            raise HookError(f"save_models must be 'all' or 'best', not {save_models!r}")
        paths = RunPaths(Path(model_dir))
        paths.root.mkdir(parents=True, exist_ok=True)
        self.run_dir = paths.root
        if options is not None:
            self.stepper = Stepper(self.model, self.device, options)
        tests = [
            Testing(phase, self._batches(loader), metrics or ())
            for phase, loader, metrics in ((VAL, val_loader, val_metrics), (TEST, test_loader, test_metrics))
            if loader is not None
        ]
        training = Training(
            self,
            self.hooked(self._batches(train_loader)),
            loss_fn,
            optimizer,
            train_metrics,
            tests,
            num_epochs=num_epochs,
            lr_scheduler=lr_scheduler,
            steps_lr_per_batch=steps_lr_per_batch,
            monitor=monitor,
            mode=mode,
            callbacks=[
                *([LrSchedule(lr_schedule)] if lr_schedule else []),
                ModelFiles(paths, save_models),
                HistoryFile(paths.history),
                *([EpochLog(Path(save_logs))] if save_logs else []),
                *([ProgressBar(notebook=notebook_mode)] if batch_log else []),
                EpochLines(),
                *([Plots(paths, every_epoch=True)] if save_metrics else []),
                *([ShownPlots()] if display_metrics else []),
                *overridden_hooks(self, BaseModel),
                *callbacks,
            ],
            stop=stop,
            paths=paths,
        )
        training.run()
        return training.history

    def evaluate(
        self,
        test_loader: Iterable[Any],
        metrics: Sequence[Metric],
        loss_fn: Callable[..., Tensor] | None = None,
    ) -> dict[str, float]:
        """The value of each metric over all batches, by the metric's name; with `loss_fn` "loss" too.

        The model is left in eval mode.
        """
        evaluation = Evaluation(self, Testing(TEST, as_batches(test_loader), metrics), loss_fn)
        evaluation.run()
        loss = {LOSS: evaluation.loss()} if evaluation.has_loss else {}
        return loss | {metric.name: float(metric.result()) for metric in metrics}

    def predict(self, inputs: Any, apply_softmax: bool = False) -> Any:
        """Outputs for a tensor of inputs, or, joined on the CPU, for a loader of (inputs, …).

        apply_softmax turns scores of shape (N, classes) into probabilities.
        """
        self.model.eval()
        with torch.no_grad():
            if isinstance(inputs, Tensor):
                return self._predict_batch(inputs, apply_softmax)
            outputs = []
            for batch in as_batches(inputs).epoch(0):
                outputs.append(self._predict_batch(inputs_of(batch), apply_softmax).cpu())
            if not outputs:
                raise DataError("the data to predict yields no batch")
            return torch.cat(outputs)

    def summary(self, input_size: Sequence[int]) -> Summary:
        """A table of the layers for one sample of that shape, such as (1, 28, 28). Print it."""
        return summarize(self.model, input_size, self.device)

    def save_model(self, path: str | Path) -> None:
        """Write the weights as a plain state dict, whole or not at all."""
        write_tensors(Path(path), self.model.state_dict())

    def load_model(self, path: str | Path) -> None:
        """Read weights that `save_model` or a training wrote. Raises CheckpointError."""
        try:
            self.model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except FileNotFoundError:
            raise CheckpointError(f"{path}: no such model file") from None
        except Exception as error:
            raise CheckpointError(
                f"{path} does not fit this model: {one_line(text_of(error), 300)}"
            ) from error

    def hooked(self, batches: Batches) -> Batches:
        """The batches behind the input hooks."""
        return HookedBatches(batches, self._input_hooks) if self._input_hooks else batches

    def _batches(self, loader: Iterable[Any]) -> Batches:
        """The batches of a script's loader, without its processes where we can make the same ones."""
        return see_through(loader, self.device) or as_batches(loader)

    def _predict_batch(self, inputs: Any, apply_softmax: bool) -> Any:
        outputs = self.__predict_func__(to_device(inputs, self.device))
        return outputs.softmax(1) if apply_softmax else outputs
