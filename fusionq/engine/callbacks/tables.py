"""The history as a table for other tools."""

from __future__ import annotations

import csv
import io
import time

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.pace import Pace
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd


class CsvLog(Callback):
    """`metrics.csv` in the run folder: a row per epoch, rewritten whole, at most once a second."""

    only_first = True
    is_optional = True

    def __init__(self) -> None:
        self._pace = Pace()
        self._is_behind = False

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._is_behind = True
        if self._pace.is_due():
            self._write(training)

    def on_leave(self, training: Training) -> None:
        if self._is_behind:
            self._write(training)

    def _write(self, training: Training) -> None:
        began = time.monotonic()
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(training.history.series()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(training.history.rows)
        content = text.getvalue().encode()
        write_whole(training.paths.metrics_csv, lambda handle: handle.write(content), must_last=False)
        self._is_behind = False
        self._pace.note(began)
