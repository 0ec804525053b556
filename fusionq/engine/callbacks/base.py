"""The base of all callbacks. Its hooks do nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
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
        """Before an epoch, or before the rest of one; what it then changes of the state is undone."""

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

    def on_leave(self, training: Training) -> None:
        """Training is left: at its end, on a stop, or by an error that is on its way."""


class CallbackList(Callback):
    """Many callbacks as one, called in order.

    Where an optional one fails, that is told once, and it is left out from then on. What fusionq explains
    itself, such as a package that is missing, ends the job all the same.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = list(callbacks)
        self._left_out: set[int] = set()  # places of those that failed
        self.batch_start_hooks = self._batch_hooks("on_batch_start")
        self.batch_end_hooks = self._batch_hooks("on_batch_end")
        begun = [type(callback).on_epoch_start for callback in self._callbacks]
        self.begins_epochs = any(hook is not Callback.on_epoch_start for hook in begun)

    def _batch_hooks(self, name: str) -> list[Callable[[Training], None]]:
        """What is to be called for every batch: only what is overridden, and directly where that can be."""
        return [
            partial(self._try, place, name) if callback.is_optional else getattr(callback, name)
            for place, callback in enumerate(self._callbacks)
            if getattr(type(callback), name) is not getattr(Callback, name)
        ]

    def on_train_start(self, training: Training) -> None:
        self._call("on_train_start", training)

    def on_epoch_start(self, training: Training) -> None:
        self._call("on_epoch_start", training)

    def on_progress(self, training: Training, event: Progress) -> None:
        self._call("on_progress", training, event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._call("on_epoch_end", training, event)

    def on_stop(self, training: Training) -> None:
        self._call("on_stop", training)

    def on_train_end(self, training: Training) -> None:
        self._call("on_train_end", training)

    def on_leave(self, training: Training) -> None:
        """Each is called, also where one before it fails; the first error is raised then."""
        errors: list[Exception] = []
        for place in range(len(self._callbacks)):
            try:
                self._call_one(place, "on_leave", training)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _call(self, name: str, training: Training, *args: Any) -> None:
        for place in range(len(self._callbacks)):
            self._call_one(place, name, training, *args)

    def _call_one(self, place: int, name: str, training: Training, *args: Any) -> None:
        callback = self._callbacks[place]
        if callback.is_optional:
            self._try(place, name, training, *args)
        else:
            getattr(callback, name)(training, *args)

    def _try(self, place: int, name: str, training: Training, *args: Any) -> None:
        if place in self._left_out:
            return
        callback = self._callbacks[place]
        try:
            getattr(callback, name)(training, *args)
        except FusionqError:
            raise
        except Exception as error:
            self._left_out.add(place)
            reason = one_line(f"{type(error).__name__}: {error}", 300)
            training.stepper.warn(f"{type(callback).__name__} failed and is left out from here on ({reason})")
