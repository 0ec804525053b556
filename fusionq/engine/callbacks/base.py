"""The base of all callbacks. Its hooks do nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fusionq.spec.events import EpochEnd, Progress

if TYPE_CHECKING:
    from fusionq.engine.training import Training


class Callback:
    """Override what you need. `training` is the run: its position, history, model and optimizer.

    In a job of several processes every rank has its own; with `only_first` rank 0 alone has one, as is right
    for what writes or speaks. Such a one must not ask for what all ranks have to agree on, such as the loss.
    """

    only_first = False

    def on_train_start(self, training: Training) -> None:
        """Before the first batch of this process."""

    def on_epoch_start(self, training: Training) -> None:
        """Before an epoch, or before the rest of one."""

    def on_batch_start(self, training: Training) -> None:
        """Before every training batch; costs nothing where it is not overridden."""

    def on_batch_end(self, training: Training) -> None:
        """After every training batch; costs nothing where it is not overridden."""

    def on_progress(self, training: Training, event: Progress) -> None:
        """About once a second, after the values were read from the device."""

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        """After an epoch and its test; the position is the next epoch's beginning."""

    def on_stop(self, training: Training) -> None:
        """Training was asked to stop and is about to return."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch."""


class CallbackList(Callback):
    """Many callbacks as one, called in order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = list(callbacks)
        self.batch_start_hooks = self._hooks("on_batch_start")
        self.batch_end_hooks = self._hooks("on_batch_end")

    def _hooks(self, name: str) -> list[Callable[[Training], None]]:
        overriding = [c for c in self.callbacks if getattr(type(c), name) is not getattr(Callback, name)]
        return [getattr(callback, name) for callback in overriding]

    def on_train_start(self, training: Training) -> None:
        for callback in self.callbacks:
            callback.on_train_start(training)

    def on_epoch_start(self, training: Training) -> None:
        for callback in self.callbacks:
            callback.on_epoch_start(training)

    def on_progress(self, training: Training, event: Progress) -> None:
        for callback in self.callbacks:
            callback.on_progress(training, event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(training, event)

    def on_stop(self, training: Training) -> None:
        for callback in self.callbacks:
            callback.on_stop(training)

    def on_train_end(self, training: Training) -> None:
        for callback in self.callbacks:
            callback.on_train_end(training)
