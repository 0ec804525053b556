"""The tree that a checkpoint holds of objects: what its encoder and its decoder share."""

from __future__ import annotations

from typing import Any

from fusionq.engine.state.kinds import find_class

Node = Any
"""A plain value, or a list that begins with the kind of value that it stands for."""
ABSENT: Any = object()
"""Stands for a value that is not there."""


class UnknownClassError(Exception):
    """The job's code has no such class, or has not imported it yet."""


def class_of(name: str, *bases: type) -> type:
    """Returns the class of that name, where it extends one of `bases`: no other is called."""
    found = find_class(name)
    if not isinstance(found, type) or not issubclass(found, bases):
        raise UnknownClassError
    return found
