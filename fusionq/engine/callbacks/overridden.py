"""Calls the methods that a trainer overrides: on_epoch_start and its sisters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd

if TYPE_CHECKING:
    from fusionq.engine.base_model import BaseModel

METHODS = ("on_epoch_start", "on_epoch_end", "on_batch_start", "on_batch_end", "on_training_completed")


def overridden_hooks(trainer: BaseModel, base: type) -> list[Callback]:
    """Callbacks for what the trainer's class overrides; [] where it overrides nothing."""
    own = {name for name in METHODS if getattr(type(trainer), name) is not getattr(base, name)}
    found: list[Callback] = [_Epochs(trainer)] if own - {"on_batch_start", "on_batch_end"} else []
    if "on_batch_start" in own:
        found.append(_BatchStarts(trainer))
    if "on_batch_end" in own:
        found.append(_BatchEnds(trainer))
    return found


class _Epochs(Callback):
    def __init__(self, trainer: BaseModel) -> None:
        self._trainer = trainer
        self._began = time.monotonic()

    def on_train_start(self, training: Training) -> None:
        self._began = time.monotonic()

    def on_epoch_start(self, training: Training) -> None:
        self._trainer.on_epoch_start(training.epoch + 1)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._trainer.on_epoch_end(
            training.epoch,
            training.train_metric_list,
            training.test_metric_list,
            event.values["train_loss"],
            event.duration_s,
        )

    def on_train_end(self, training: Training) -> None:
        self._trainer.on_training_completed(
            training.train_metric_list, training.test_metric_list, time.monotonic() - self._began
        )


class _BatchStarts(Callback):
    def __init__(self, trainer: BaseModel) -> None:
        self._trainer = trainer

    def on_batch_start(self, training: Training) -> None:
        self._trainer.on_batch_start(training.epoch + 1, training.batch)


class _BatchEnds(Callback):
    """Reads the loss after every batch, which waits for the device: the price of being told it."""

    def __init__(self, trainer: BaseModel) -> None:
        self._trainer = trainer

    def on_batch_end(self, training: Training) -> None:
        self._trainer.on_batch_end(
            training.epoch + 1, training.batch - 1, training.train_metric_list, training.mean_loss()
        )
