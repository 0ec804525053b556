"""Tells the world through one callable."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd, Event, Progress, Started

Report = Callable[[Event], None]


class Reporting(Callback):
    """Passes the events of a run to `report`."""

    only_first = True

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_train_start(self, training: Training) -> None:
        parameters = sum(parameter.numel() for parameter in training.trainer.model.parameters())
        self._report(
            Started(
                device=str(training.trainer.device),
                num_parameters=parameters,
                num_epochs=training.num_epochs,
                num_batches=training.num_batches,
                epoch=training.epoch,
                batch=training.batch,
            )
        )

    def on_progress(self, training: Training, event: Progress) -> None:
        self._report(event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._report(event)
