"""The inputs of a sample or a batch: the first of several parts, or all there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def inputs_of(row: Any) -> Any:
    """Returns the inputs of `(inputs, …)`, or of inputs alone."""
    return row[0] if isinstance(row, tuple | list) else row


def with_inputs(row: Any, change: Callable[[Any], Any]) -> Any:
    """Returns the row with its inputs changed: `(inputs, …)` as a tuple, or inputs alone."""
    if isinstance(row, tuple | list):
        return (change(row[0]), *row[1:])
    return change(row)
