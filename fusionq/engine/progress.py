"""How far a training is and how fast: the events that tell it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fusionq.spec.events import EpochEnd, Progress

if TYPE_CHECKING:
    from fusionq.engine.training import Training


class Clock:
    """When this process began to train, when its epoch began, and when training ended in it."""

    def __init__(self) -> None:
        self._began = self._epoch_began = self._train_ended = 0.0
        self._epochs_before = 0.0  # that were done when this process began
        self._samples_before = 0.0  # of this epoch, when this process began with it

    def begin(self, epochs_done: float) -> None:
        self._began = time.monotonic()
        self._epochs_before = epochs_done

    def begin_epoch(self, samples: float) -> None:
        """An epoch begins, or the rest of one in which so many samples were seen."""
        self._epoch_began = self._train_ended = time.monotonic()
        self._samples_before = samples

    def end_training(self) -> None:
        """All batches of this epoch are trained on."""
        self._train_ended = time.monotonic()

    def progress(self, training: Training, phase: str, batch: int, num_batches: int) -> Progress:
        """Waits for the device; all ranks must call it."""
        done = training.epochs_done - self._epochs_before
        left = training.num_epochs - training.epochs_done
        now = time.monotonic()
        return Progress(
            phase=phase,
            epoch=training.epoch + 1,
            num_epochs=training.num_epochs,
            batch=batch,
            num_batches=num_batches if batch <= num_batches else 0,  # a guess that was too low
            samples_per_s=self._samples_per_s(training.samples, now),
            eta_s=(now - self._began) * left / done if done > 0 else 0.0,
            values=training.values_so_far(phase),
            best=training.best.by_key,
        )

    def epoch_end(self, training: Training) -> EpochEnd:
        """Of the epoch that was the last one."""
        return EpochEnd(
            epoch=training.epoch,
            num_epochs=training.num_epochs,
            duration_s=time.monotonic() - self._epoch_began,
            samples_per_s=self._samples_per_s(training.samples, self._train_ended),
            is_best=training.is_best,
            values=dict(training.values),
            best=training.best.by_key,
        )

    def _samples_per_s(self, samples: float, until: float) -> float:
        return (samples - self._samples_before) / max(until - self._epoch_began, 1e-9)
