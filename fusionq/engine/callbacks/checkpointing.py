"""Saves the full state at intervals, and always before training stops."""

from __future__ import annotations

import time

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.units import Interval


class Checkpointing(Callback):
    """Saves every so many epochs, batches or seconds, at the end, and on a stop."""

    def __init__(self, checkpoints: Checkpoints, every: Interval) -> None:
        self._checkpoints = checkpoints
        self._every = every
        self._saved_at = (-1, -1)
        self._batches = 0
        self._clock = time.monotonic()

    def on_batch_end(self, training: Training) -> None:
        self._batches += 1
        if not training.stepper.is_between_steps:
            return  # gradients that wait are no part of the state
        if (self._every.batches and self._batches >= self._every.batches) or (
            self._every.seconds and time.monotonic() - self._clock >= self._every.seconds
        ):
            self._save(training)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        is_due = self._every.epochs and training.epoch % self._every.epochs == 0
        if is_due or training.early_end or training.epoch == training.num_epochs:
            self._save(training)

    def on_stop(self, training: Training) -> None:
        self._save(training)

    def _save(self, training: Training) -> None:
        position = (training.epoch, training.batch)
        if position == self._saved_at:
            return
        training.check_loss()  # a state that is lost already must not push out the last good one
        self._checkpoints.save(training.state_dict(), *position)
        self._saved_at = position
        self._batches = 0
        self._clock = time.monotonic()
