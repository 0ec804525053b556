"""The history for other tools: a CSV file, TensorBoard's event files."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.pace import Pace
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.errors import TargetError
from fusionq.spec.events import EpochEnd, Progress


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


class TensorBoard(Callback):
    """Event files in `tensorboard/` of the run folder, for `tensorboard --logdir`."""

    only_first = True
    is_optional = True

    def __init__(self) -> None:
        self._writer: Any = None

    def on_train_start(self, training: Training) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TargetError(
                "TensorBoard is not installed on this worker; pip install tensorboard"
            ) from error
        self._writer = SummaryWriter(str(training.paths.tensorboard), purge_step=training.global_batch)

    def on_progress(self, training: Training, event: Progress) -> None:
        self._write("batch", event.values, training.global_batch)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._write("epoch", event.values, training.global_batch)

    def on_stop(self, training: Training) -> None:
        self._writer.close()

    def on_train_end(self, training: Training) -> None:
        self._writer.close()

    def _write(self, group: str, values: dict[str, float], step: int) -> None:
        for key, value in values.items():
            self._writer.add_scalar(f"{group}/{key}", value, step)
