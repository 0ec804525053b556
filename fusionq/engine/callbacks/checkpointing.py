"""Saves the full state at intervals, and always before training stops."""

from __future__ import annotations

import time

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.ranks import Agreement
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.units import Interval


class Checkpointing(Callback):
    """Saves every so many epochs, batches or seconds, at the end, and on a stop."""

    def __init__(self, checkpoints: Checkpoints, every: Interval) -> None:
        self._checkpoints = checkpoints
        self._every = every
        self._saved_at: tuple[int, int, int] | None = None
        self._batches = 0
        self._clock = time.monotonic()
        self._agreement = Agreement()

    def on_train_start(self, training: Training) -> None:
        self._agreement = training.ranks.agreement()
        training.state.begin()

    def on_batch_end(self, training: Training) -> None:
        self._batches += 1
        if not training.stepper.is_between_steps:
            return  # gradients that wait are no part of the state
        has_seen = self._every.batches and self._batches >= self._every.batches
        if has_seen or (self._every.seconds and self._is_time()):
            self._save(training)

    def _is_time(self) -> bool:
        """By the clock of whichever rank is the first, for all of them."""
        is_due = time.monotonic() - self._clock >= self._every.seconds
        if is_due:
            self._clock = time.monotonic()  # nobody asks again before it is done
        (is_time,) = self._agreement.on(is_due)
        return is_time

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        is_due = self._every.epochs and training.epoch % self._every.epochs == 0
        if is_due or training.early_end or training.epoch == training.num_epochs:
            self._save(training)

    def on_stop(self, training: Training) -> None:
        self._save(training)

    def _save(self, training: Training) -> None:
        position = training.position
        if position == self._saved_at:
            return
        training.check_loss()  # a state that is lost already must not push out the last good one
        state = training.state_dict()
        if training.ranks.is_first:
            self._checkpoints.save(state, training.epoch, training.batch)
        self._saved_at = position
        self._batches = 0
        self._clock = time.monotonic()
