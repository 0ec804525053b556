"""A learning rate that a function of the epoch decides."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.training import Training


class LrSchedule(Callback):
    """Sets the learning rate before each epoch to `schedule(epoch)`, epochs counted from 1."""

    def __init__(self, schedule: Callable[[int], float]) -> None:
        self._schedule = schedule

    def on_epoch_start(self, training: Training) -> None:
        rate = self._schedule(training.epoch + 1)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
