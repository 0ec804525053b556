"""The training loop.

    for every epoch: train on all batches, test on all batches, note the numbers, tell whoever listens

Everything else is a callback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.callbacks.base import Callback, CallbackList
from fusionq.engine.data.batches import Batches, batch_length
from fusionq.engine.history import TEST, TRAIN, History, choose_best, keys_of
from fusionq.engine.metrics import Metric
from fusionq.engine.optimizers import step_lr_scheduler
from fusionq.engine.randomness import random_state, restore_random_state
from fusionq.engine.stopping import StopToken
from fusionq.errors import CheckpointError, DataError, MetricError, NonFiniteLossError
from fusionq.spec.events import EpochEnd, Progress

if TYPE_CHECKING:
    from fusionq.engine.base_model import BaseModel

LOG_INTERVAL_S = 1.0
COMPLETED = "completed"
STOPPED = "stopped"


class _StopAsked(Exception):
    """Leaves the loop from within; the position says where."""


class Training:
    """One training run: what it is made of, where it stands, and the loop.

    The position is (epoch, batch): `epoch` epochs are done, and `batch` batches of the next.
    """

    def __init__(
        self,
        trainer: BaseModel,
        train_batches: Batches,
        loss_fn: Callable[..., torch.Tensor],
        optimizer: Optimizer,
        train_metrics: Sequence[Metric] = (),
        test_batches: Batches | None = None,
        test_metrics: Sequence[Metric] = (),
        *,
        num_epochs: int,
        lr_scheduler: LRScheduler | None = None,
        monitor: str | None = None,
        mode: str | None = None,
        callbacks: Sequence[Callback] = (),
        stop: StopToken | None = None,
    ) -> None:
        self.trainer = trainer
        self.train_batches = train_batches
        self.test_batches = test_batches
        self.loss_fn = loss_fn
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.train_metrics = dict(zip(keys_of(TRAIN, train_metrics), train_metrics, strict=True))
        self.test_metrics = dict(zip(keys_of(TEST, test_metrics), test_metrics, strict=True))
        self.num_epochs = num_epochs
        self.best = choose_best(monitor, mode, self.train_metrics, self.test_metrics)
        self._train_metric_list = list(train_metrics)
        self._test_metric_list = list(test_metrics)
        self.callbacks = CallbackList(callbacks)
        self.stop = stop or StopToken()
        self.epoch = 0
        self.batch = 0
        self.samples = 0  # in the current epoch
        self.running_loss = RunningLoss()
        self.history = History()
        self.values: dict[str, float] = {}  # of the current epoch, as far as they are known
        self.is_best = False
        self._random_state: dict[str, Any] | None = None  # as testing found it, while testing
        self._samples_at_start = 0
        self._began = self._epoch_began = self._train_ended = 0.0
        self._began_at = 0.0

    # --- the loop --------------------------------------------------------------------------------

    def run(self) -> str:
        """Train from the present position to the end. Returns COMPLETED or STOPPED."""
        self._began = time.monotonic()
        self._began_at = self._epochs_done()
        self.callbacks.on_train_start(self)
        try:
            while self.epoch < self.num_epochs:
                self._train_epoch()
                self._test_epoch()
                self._end_epoch()
        except _StopAsked:
            self.callbacks.on_stop(self)
            return STOPPED
        self.callbacks.on_train_end(self)
        return COMPLETED

    def _train_epoch(self) -> None:
        self._epoch_began = time.monotonic()
        if self.batch == 0:
            self._reset_epoch()
        self.callbacks.on_epoch_start(self)
        self.trainer.model.train()
        self._pass(TRAIN, self.train_batches, self._train_step, start=self.batch)
        self._check_loss()
        if self.samples == 0:
            raise DataError("the training data yields no batch")
        self.values = {f"{TRAIN}_loss": self._mean_loss(), **_results(self.train_metrics)}
        self._train_ended = time.monotonic()

    def _test_epoch(self) -> None:
        if self.test_batches is None:
            return
        for metric in self.test_metrics.values():
            metric.reset()
        # Testing again after a stop must draw the same numbers as testing the first time.
        self._random_state = random_state()
        self.trainer.model.eval()
        with torch.no_grad():
            self._pass(TEST, self.test_batches, self._test_step)
        self._random_state = None
        self.values |= _results(self.test_metrics)

    def _pass(self, phase: str, batches: Batches, step: Callable[[Any, int], None], start: int = 0) -> None:
        """Go through the batches of one epoch with `step`: training and testing differ in nothing else."""
        next_look = time.monotonic() + LOG_INTERVAL_S
        for number, batch in enumerate(batches.epoch(self.epoch, start), start):
            step(batch, number)
            if self.stop.requested:
                raise _StopAsked
            if time.monotonic() >= next_look:
                self._look(phase, number + 1, len(batches))
                next_look = time.monotonic() + LOG_INTERVAL_S

    def _train_step(self, batch: Any, number: int) -> None:
        self.trainer.__train_func__(
            batch,
            self.optimizer,
            self.loss_fn,
            self._train_metric_list,
            self.running_loss,
            self.epoch + 1,
            number,
        )
        self.samples += batch_length(batch)
        self.batch = number + 1
        for on_batch_end in self.callbacks.batch_hooks:
            on_batch_end(self)

    def _test_step(self, batch: Any, number: int) -> None:
        self.trainer.__eval_function__(batch, self._test_metric_list)

    def _end_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.history.add(self.epoch, self.values)
        self.is_best = self.best.offer(self.epoch, self.values[self.best.monitor])
        if self.lr_scheduler is not None:
            step_lr_scheduler(self.lr_scheduler, self.values[self.best.monitor])
        self.callbacks.on_epoch_end(self, self._epoch_end_event())

    # --- looking: the only places that wait for the device ------------------------------------------

    def _look(self, phase: str, batch: int, num_batches: int) -> None:
        self._check_loss()
        values = {f"{TRAIN}_loss": self._mean_loss(), **_results(self.train_metrics)}
        if phase == TEST:
            values |= _results(self.test_metrics)
        left = self.num_epochs - self._epochs_done()
        done = self._epochs_done() - self._began_at
        elapsed = time.monotonic() - self._began
        event = Progress(
            phase=phase,
            epoch=self.epoch + 1,
            num_epochs=self.num_epochs,
            batch=batch,
            num_batches=num_batches,
            samples_per_s=self._samples_per_s(),
            eta_s=elapsed * left / done if done > 0 else 0.0,
            values=values,
        )
        self.callbacks.on_progress(self, event)

    def _check_loss(self) -> None:
        number = self.running_loss.first_non_finite()
        if number is not None:
            raise NonFiniteLossError(f"non-finite loss at epoch {self.epoch + 1}, batch {number + 1}")

    def _mean_loss(self) -> float:
        return self.running_loss.total() / max(self.samples, 1)

    def _samples_per_s(self) -> float:
        fresh = self.samples - self._samples_at_start
        return fresh / max(time.monotonic() - self._epoch_began, 1e-9)

    def _epochs_done(self) -> float:
        return self.epoch + self.batch / max(len(self.train_batches), 1)

    def _epoch_end_event(self) -> EpochEnd:
        now = time.monotonic()
        return EpochEnd(
            epoch=self.epoch,
            num_epochs=self.num_epochs,
            duration_s=now - self._epoch_began,
            samples_per_s=(self.samples - self._samples_at_start)
            / max(self._train_ended - self._epoch_began, 1e-9),
            is_best=self.is_best,
            values=dict(self.values),
        )

    def _reset_epoch(self) -> None:
        self.samples = 0
        self._samples_at_start = 0
        self.running_loss.reset()
        for metric in self.train_metrics.values():
            metric.reset()

    # --- state -------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how the run goes on, in types that `weights_only=True` reads."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "samples": self.samples,
            "model": self.trainer.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict() if self.lr_scheduler else None,
            "running_loss": self.running_loss.state_dict(),
            "train_metrics": {key: metric.state_dict() for key, metric in self.train_metrics.items()},
            "history": self.history.rows,
            "best": self.best.state_dict(),
            "random": self._random_state or random_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the run where `state` left it. Raises CheckpointError where it is another model's."""
        try:
            self.trainer.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.lr_scheduler is not None and state["lr_scheduler"] is not None:
                self.lr_scheduler.load_state_dict(state["lr_scheduler"])
            for key, metric in self.train_metrics.items():
                metric.load_state_dict(state["train_metrics"][key])
        except (RuntimeError, ValueError, KeyError) as error:
            cause = " ".join(str(error).split())[:300]
            raise CheckpointError(f"the checkpoint belongs to another job: {cause}") from error
        self.epoch, self.batch, self.samples = state["epoch"], state["batch"], state["samples"]
        self._samples_at_start = self.samples
        self.running_loss.load_state_dict(state["running_loss"])
        self.history = History(list(state["history"]))
        self.best.load_state_dict(state["best"])
        restore_random_state(state["random"])


def _results(metrics: dict[str, Metric]) -> dict[str, float]:
    values = {}
    for key, metric in metrics.items():
        value = metric.result()
        try:
            values[key] = float(value)
        except (TypeError, ValueError, RuntimeError):
            raise MetricError(
                f"the metric {metric.name!r} gave {value!r}; its result must be one number"
            ) from None
    return values
