"""Ends training when the monitored value no longer gets better."""

from __future__ import annotations

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd


class EarlyStopping(Callback):
    """Ends training after `patience` epochs without a new best. Its state is the best epoch's number."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        if training.epoch - training.best.epoch >= self.patience and training.epoch < training.num_epochs:
            training.end_early(self._reason(training))

    @staticmethod
    def _reason(training: Training) -> str:
        best = training.best
        if best.is_known:
            return f"no better {best.monitor} since epoch {best.epoch}"
        return f"{best.monitor} was not a number in any of {training.epoch} epochs"
