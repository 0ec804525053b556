"""Builds blocks as the engine does, and remembers which place each object came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusionq.engine.build import Supplied
from fusionq.engine.checking.blocks import arguments_of
from fusionq.engine.checking.targets import Targets
from fusionq.spec.job import Target
from fusionq.spec.printable import one_line as one_line_of
from fusionq.spec.printable import text_of
from fusionq.spec.reader import Path_
from fusionq.spec.targets import ARGS, TARGET

# Arguments that would load, or download, weights; they change no shape.
_WEIGHTS = ("weights", "weights_backbone")


class PlacedError(Exception):
    """Something went wrong at a place of the job file; `cause` is what was raised there."""

    def __init__(self, place: Path_, message: str, cause: BaseException) -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.cause = cause


class Builder:
    """Builds with targets that were found before. Raises PlacedError."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._made: list[Any] = []  # keeps the objects alive, so that no other gets the id of one
        self._places: dict[int, Path_] = {}

    def build(self, block: Target, place: Path_, *given: Any, supplied: Supplied | None = None) -> Any:
        """The object of a block; `given` come before its own arguments."""
        if supplied is not None:
            more, by_name = supplied.arguments(self._targets[place], is_outermost=len(place) == 1)
            given = (*given, *more)
        args, kwargs = arguments_of(block)
        args = [self._value(item, (*place, ARGS, i), supplied) for i, item in enumerate(args)]
        kwargs = {key: self._value(item, (*place, key), supplied) for key, item in kwargs.items()}
        if supplied is not None:
            kwargs |= by_name
        if block[TARGET].startswith("torchvision.models."):
            kwargs |= {key: None for key in _WEIGHTS if key in kwargs}
        try:
            made = self._targets[place](*given, *args, **kwargs)
        except (Exception, SystemExit) as error:
            name = block[TARGET].rpartition(".")[2]
            raise PlacedError(place, f"{name}: {one_line(error)}", error) from error
        self._made.append(made)
        self._places.setdefault(id(made), place)
        return made

    def place_of(self, made: Any) -> Path_ | None:
        """Where an object was asked for, or None where it was made by another."""
        return self._places.get(id(made))

    def _value(self, value: Any, place: Path_, supplied: Supplied | None) -> Any:
        if isinstance(value, list):
            return [self._value(item, (*place, i), supplied) for i, item in enumerate(value)]
        if isinstance(value, Mapping):
            if TARGET in value:
                return self.build(dict(value), place, supplied=supplied)
            return {key: self._value(item, (*place, key), supplied) for key, item in value.items()}
        return value


def one_line(error: BaseException, *, with_kind: bool = True) -> str:
    """An error in one line of bearable length."""
    text = one_line_of(text_of(error), 300)
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}" if with_kind else text
