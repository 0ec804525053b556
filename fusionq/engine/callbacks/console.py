"""What training says on standard output."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.files import epoch_line
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd, Progress
from fusionq.spec.metric_keys import measured

LOOK_S = 0.2


class EpochLines(Callback):
    """One line per epoch."""

    only_first = True

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        print(epoch_line(event), flush=True)


class ProgressBar(Callback):
    """A tqdm bar over the batches of each epoch, with the loss and the metrics."""

    only_first = True

    def __init__(self, *, notebook: bool = False) -> None:
        self._notebook = notebook
        self._bar: Any = None
        self._next_look = 0.0

    def on_epoch_start(self, training: Training) -> None:
        if self._notebook:
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
        self._bar = tqdm(
            total=training.num_batches or None,
            initial=training.batch,
            desc=f"epoch {training.epoch + 1}/{training.num_epochs}",
            unit="batch",
            leave=False,
        )

    def on_batch_end(self, training: Training) -> None:
        if time.monotonic() >= self._next_look:  # reading the values waits for the device
            self._next_look = time.monotonic() + LOOK_S
            self._show(training.values_so_far())
        self._bar.update()

    def on_progress(self, training: Training, event: Progress) -> None:
        self._show(event.values)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._show(measured(event.values), refresh=True)
        self._close()

    def _show(self, values: Mapping[str, float], *, refresh: bool = False) -> None:
        self._bar.set_postfix({key: f"{value:.4f}" for key, value in values.items()}, refresh=refresh)

    def on_stop(self, training: Training) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
