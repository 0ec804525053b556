"""A file of the whole history, which is rewritten after epochs."""

from __future__ import annotations

import time

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.pace import Pace
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd


class PacedFile(Callback):
    """Calls `write` after epochs, at most once a second, and for what is left when training is left."""

    only_first = True

    def __init__(self) -> None:
        self._pace = Pace()
        self._is_behind = False

    def write(self, training: Training) -> None:
        """Write the file anew."""
        raise NotImplementedError

    def on_train_start(self, training: Training) -> None:
        # A process that was killed after its last checkpoint may have left its last epochs out.
        self._is_behind = training.epoch > 0

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._is_behind = True
        if self._pace.is_due():
            self._catch_up(training)

    def on_leave(self, training: Training) -> None:
        if self._is_behind:
            self._catch_up(training)

    def _catch_up(self, training: Training) -> None:
        began = time.monotonic()
        self.write(training)
        self._is_behind = False
        self._pace.note(began)
