"""The training loop.

    for every epoch: train on all batches, test on all batches, note the numbers, tell whoever listens

Everything else is a callback.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.callbacks.base import Callback, CallbackList
from fusionq.engine.data.batches import Batches, close_batches
from fusionq.engine.evaluation import Evaluation, Testing, mean_of, measured, results_of
from fusionq.engine.history import History, choose_best, keys_of
from fusionq.engine.loss_shapes import checked_shapes
from fusionq.engine.metrics import Metric
from fusionq.engine.optimizers import check_lr_scheduler, learning_rates, step_lr_scheduler
from fusionq.engine.progress import Clock
from fusionq.engine.ranks import ALONE, Ranks
from fusionq.engine.stopping import StopToken
from fusionq.engine.training_state import TrainingState
from fusionq.errors import DataError, HookError, NonFiniteLossError
from fusionq.spec.metric_keys import TRAIN, loss_key
from fusionq.spec.paths import RunPaths
from fusionq.spec.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        tests: Sequence[Testing] = (),
        *,
        num_epochs: int,
        lr_scheduler: LRScheduler | None = None,
        steps_lr_per_batch: bool = False,
        monitor: str | None = None,
        mode: str | None = None,
        callbacks: Sequence[Callback] = (),
        stop: StopToken | None = None,
        paths: RunPaths | None = None,
        ranks: Ranks = ALONE,
        title: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """`title` names it in pictures; `params` are what a sweep changed for it."""
        self.title = title
        self.params = dict(params or {})
        self.trainer = trainer
        self.ranks = ranks
        self.stepper = trainer.stepper
        self.train_batches = train_batches
        self.loss_fn = loss_fn
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.train_metric_list = list(train_metrics)
        self.train_metrics = dict(zip(keys_of(TRAIN, train_metrics), train_metrics, strict=True))
        self.tests = [Evaluation(trainer, test, loss_fn, ranks) for test in tests]
        self.num_epochs = num_epochs
        self.best = choose_best(monitor, mode, measured(trainer, loss_fn, train_metrics, tests))
        check_lr_scheduler(
            lr_scheduler,
            self.best.monitor,
            self.best.mode,
            per_batch=steps_lr_per_batch,
            warn=self.stepper.warn,
        )
        self.callbacks = CallbackList([c for c in callbacks if ranks.is_first or not c.only_first])
        self.stop = stop or StopToken()
        self.paths = paths or RunPaths(Path())
        self.epoch = 0
        self.batch = 0
        self.batches_before = 0  # in the epochs that are done
        self.samples = 0  # in the current epoch, of all ranks
        self.running_loss = RunningLoss()
        self.history = History()
        self.values: dict[str, float] = {}  # of the current epoch, as far as they are known
        self.is_best = False
        self.early_end = ""  # why there are no more epochs
        self._steps_lr_per_epoch = lr_scheduler is not None and not steps_lr_per_batch
        self._has_told = False  # of a monitored value that is no number
        self._has_trained = False  # on a batch, in this process
        self.is_trained = False  # on all batches of this epoch, which is only tested now
        self._clock = Clock()
        self._agreement = ranks.agreement()
        self.state = TrainingState(self, callbacks)
        self.stepper.can_halve = ranks.is_alone
        self.stepper.weigh = ranks.weigh
        if lr_scheduler is not None and steps_lr_per_batch:
            self.stepper.after_step.append(lr_scheduler.step)

    # --- the loop --------------------------------------------------------------------------------

    def run(self) -> str:
        """Train from the present position to the end. Returns COMPLETED or STOPPED."""
        try:
            outcome = self._run()
        except BaseException:
            self._leave_by_error()
            raise
        self.callbacks.on_leave(self)
        return outcome

    def _leave_by_error(self) -> None:
        """What ends the training is told, and not what fails on account of it."""
        try:
            self.callbacks.on_leave(self)
        except Exception as error:
            self.stepper.warn(
                one_line(f"on_leave of a callback failed ({type(error).__name__}: {error})", 300)
            )

    def _run(self) -> str:
        self._clock.begin(self.epochs_done)
        self.callbacks.on_train_start(self)
        self.stepper.attach(self.optimizer)
        try:
            owned = self.state.find_owned()
            with self.ranks.sharing(self.trainer.model, self.optimizer, owned):
                while self.epoch < self.num_epochs and not self.early_end:
                    self._train_epoch()
                    self._test_epoch()
                    self._end_epoch()
        except _StopAsked:
            self.callbacks.on_stop(self)
            return STOPPED
        finally:
            self.stepper.detach()
            close_batches(self.train_batches)
        self.callbacks.on_train_end(self)
        return COMPLETED

    def end_early(self, reason: str) -> None:
        """For a callback at the end of an epoch: make it the last one."""
        self.early_end = reason

    def _train_epoch(self) -> None:
        if self.batch == 0:
            self._reset_epoch()
        self._clock.begin_epoch(self.samples)
        # Who takes up an epoch calls this again: for the iterators and files that it may open.
        with self.state.undone() if self.batch and self.callbacks.begins_epochs else nullcontext():
            self.callbacks.on_epoch_start(self)
        if not self.is_trained:  # else it was stopped while it was tested
            if self.batch == 0:  # else its modules are in the modes in which they were
                self.trainer.model.train()
            self._pass(TRAIN, self.train_batches, self._train_step, start=self.batch)
            self.stepper.finish_epoch(self.optimizer)
            self.check_loss()
            if self.batch == 0:
                raise DataError("the training data yields no batch")
            self.values = self._train_values()
            self.is_trained = True
            self._clock.end_training()

    def _train_values(self) -> dict[str, float]:
        return {loss_key(TRAIN): self.mean_loss(), **results_of(self.train_metrics, self.ranks)}

    def _test_epoch(self) -> None:
        for test in self.tests:
            if test.batch == 0:
                test.begin()
            with self._averaged_model(), torch.no_grad():
                self.trainer.model.eval()
                self._pass(test.phase, test.batches, test.add, start=test.batch)
            self.values |= test.values()

    def _pass(self, phase: str, batches: Batches, step: Callable[[Any, int], None], start: int = 0) -> None:
        """Go through the batches of one epoch with `step`: training and testing differ in nothing else."""
        next_look = time.monotonic() + LOG_INTERVAL_S
        for number, batch in enumerate(batches.epoch(self.epoch, start), start):
            step(batch, number)
            is_due = self.ranks.is_first and time.monotonic() >= next_look
            if is_due:
                next_look = time.monotonic() + LOG_INTERVAL_S
            must_stop, must_look = self._agreement.on(self.stop.requested, is_due)
            if must_stop and self.stepper.is_between_steps:
                raise _StopAsked
            if must_look:
                num_batches = self.num_batches if phase == TRAIN else len(batches)
                self.check_loss()
                event = self._clock.progress(self, phase, number + 1, num_batches)
                self.callbacks.on_progress(self, event)

    def _train_step(self, batch: Any, number: int) -> None:
        for on_batch_start in self.callbacks.batch_start_hooks:
            on_batch_start(self)
        ours, whole = self.ranks.begin_batch(self.train_batches, number, batch)
        metrics, running_loss = self.train_metric_list, self.running_loss
        if whole is not None:
            self.stepper.batch_samples = whole
        if ours == 0:  # gone through for the others' sake
            metrics, running_loss = deepcopy(metrics), RunningLoss()
        with nullcontext(self.loss_fn) if self._has_trained else checked_shapes(self.loss_fn) as loss_fn:
            self.trainer.__train_func__(
                batch,
                self.optimizer,
                loss_fn,
                metrics,
                running_loss,
                self.epoch + 1,
                number,
            )
        self._has_trained = True
        self.ranks.end_batch()
        counted = running_loss.count_batch(ours)
        self.samples += counted if self.ranks.is_alone else whole
        self.batch = number + 1
        if self.stepper.needs_optimize and not self.stepper.was_used:
            raise HookError(
                f"{type(self.trainer).__name__} steps its optimizer itself; precision and accumulation "
                "need self.optimize(loss, optimizer) in __train_func__"
            )
        for on_batch_end in self.callbacks.batch_end_hooks:
            on_batch_end(self)

    def _end_epoch(self) -> None:
        self.epoch += 1
        self.batches_before += self.batch
        self.batch = 0
        self.is_trained = False
        for test in self.tests:
            test.batch = 0
        self.values |= learning_rates(self.optimizer, self.stepper.warmup_factor())
        self.history.add(self.epoch, self.values)
        self.is_best = self.best.offer(self.epoch, self.values[self.best.monitor])
        self._tell_of_no_number()
        if self._steps_lr_per_epoch:
            step_lr_scheduler(self.lr_scheduler, self.values[self.best.monitor])
        self.callbacks.on_epoch_end(self, self._clock.epoch_end(self))

    def _tell_of_no_number(self) -> None:
        value = self.values[self.best.monitor]
        if not math.isfinite(value) and not self._has_told and self.ranks.is_first:
            self._has_told = True
            self.stepper.warn(
                f"{self.best.monitor} is {value} in epoch {self.epoch}; such an epoch is never the best"
            )

    # --- looking: the only places that wait for the device ------------------------------------------

    def mean_loss(self) -> float:
        """The loss over the samples of this epoch so far; not a number where the trainer told none.

        Waits for the device; all ranks must call it.
        """
        return mean_of(self.running_loss, self.ranks)

    def values_so_far(self, phase: str = TRAIN) -> dict[str, float]:
        """The losses and metrics of this epoch so far. Waits for the device; all ranks must call it."""
        values = self._train_values()
        for test in self.tests:
            if test.phase == phase:
                values |= test.values()
        return values

    def check_loss(self) -> None:
        """Raises NonFiniteLossError where a loss of this epoch was no finite number. Waits for the device."""
        number = self.ranks.first_of(self.running_loss.first_non_finite())
        if number is not None:
            raise NonFiniteLossError(f"non-finite loss at epoch {self.epoch + 1}, batch {number + 1}")

    def _reset_epoch(self) -> None:
        self.samples = 0
        self.running_loss.reset()
        for metric in self.train_metric_list:
            metric.reset()

    # --- where it stands ---------------------------------------------------------------------------

    @property
    def position(self) -> tuple[int, int, int]:
        """Epochs that are done, batches of the next one, and batches that it was tested on."""
        return self.epoch, self.batch, sum(test.batch for test in self.tests)

    @property
    def global_batch(self) -> int:
        """Batches since the beginning of the first epoch."""
        return self.batches_before + self.batch

    @property
    def num_batches(self) -> int:
        """Training batches in an epoch; without a length as many as in those before, 0 in the first."""
        return len(self.train_batches) or (self.batches_before // self.epoch if self.epoch else 0)

    @property
    def epochs_done(self) -> float:
        """With the share of the present one, as far as its length is known."""
        in_epoch = self.batch / self.num_batches if self.num_batches else 0.0
        return self.epoch + min(1.0, in_epoch)

    @property
    def test_metric_list(self) -> list[Metric]:
        return [metric for test in self.tests for metric in test.metric_list]

    def model_to_keep(self) -> nn.Module:
        """What is tested and saved: the averaged weights where they are kept, else the trained ones."""
        return self.stepper.average.module if self.stepper.average is not None else self.trainer.model

    @contextmanager
    def _averaged_model(self) -> Iterator[None]:
        """While it lasts, the trainer's hooks see the weights that are kept."""
        trained, self.trainer.model = self.trainer.model, self.model_to_keep()
        try:
            yield
        finally:
            self.trainer.model = trained

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how the run goes on; all ranks must call it."""
        return self.state.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the run where `state` left it. Raises CheckpointError where it is another model's."""
        self.state.load_state_dict(state)
