"""The base of all callbacks. Its hooks do nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fusionq.errors import FusionqError
from fusionq.spec.events import EpochEnd, Progress
from fusionq.spec.printable import one_line

if TYPE_CHECKING:
    from fusionq.engine.training import Training


class Callback:
    """Override what you need. `training` is the run: its position, history, model and optimizer.

    In a job of several processes every rank has its own; with `only_first` rank 0 alone has one, as is right
    for what writes or speaks. Such a one must not ask for what all ranks have to agree on, such as the loss.
    """

    only_first = False
    is_optional = False
    """Whether training goes on without it where it fails, with a warning."""

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

    @property
    def kind(self) -> type[Callback]:
        """The class whose hooks are called."""
        return type(self)

    def on_leave(self, training: Training) -> None:
        """Training is left: at its end, on a stop, or by an error that is on its way."""


class CallbackList(Callback):
    """Many callbacks as one, called in order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = [_Optional(c) if c.is_optional else c for c in callbacks]
        self.batch_start_hooks = self._hooks("on_batch_start")
        self.batch_end_hooks = self._hooks("on_batch_end")

    def _hooks(self, name: str) -> list[Callable[[Training], None]]:
        overriding = [c for c in self.callbacks if getattr(c.kind, name) is not getattr(Callback, name)]
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

    def on_leave(self, training: Training) -> None:
        for callback in self.callbacks:
            callback.on_leave(training)


class _Optional(Callback):
    """A callback whose failure is told once and ends nothing; what fusionq explains itself, such as a package
    that is missing, ends the job all the same.
    """

    def __init__(self, callback: Callback) -> None:
        self._callback: Callback | None = callback
        self._kind = type(callback)

    @property
    def kind(self) -> type[Callback]:
        return self._kind

    def on_train_start(self, training: Training) -> None:
        self._try(training, "on_train_start")

    def on_epoch_start(self, training: Training) -> None:
        self._try(training, "on_epoch_start")

    def on_batch_start(self, training: Training) -> None:
        self._try(training, "on_batch_start")

    def on_batch_end(self, training: Training) -> None:
        self._try(training, "on_batch_end")

    def on_progress(self, training: Training, event: Progress) -> None:
        self._try(training, "on_progress", event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._try(training, "on_epoch_end", event)

    def on_stop(self, training: Training) -> None:
        self._try(training, "on_stop")

    def on_train_end(self, training: Training) -> None:
        self._try(training, "on_train_end")

    def on_leave(self, training: Training) -> None:
        self._try(training, "on_leave")

    def _try(self, training: Training, hook: str, *args: Any) -> None:
        if self._callback is None:
            return
        try:
            getattr(self._callback, hook)(training, *args)
        except FusionqError:
            raise
        except Exception as error:
            self._callback = None
            reason = one_line(f"{type(error).__name__}: {error}", 300)
            training.stepper.warn(f"{self._kind.__name__} failed and is left out from here on ({reason})")
