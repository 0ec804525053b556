"""What is reached from an object by attributes and containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from fusionq.engine.state.kinds import attributes_of, is_walked

MOST_ITEMS = 1000
"""Of a list or a dict: a longer one holds data."""


def walk(
    value: Any, path: str = "", *, leaves: Any = (), skipped: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Any]]:
    """Yields the path and the object of `value` and of all that is reached from it, each object once.

    What is an instance of `leaves` is not looked into, nor are the `skipped` attributes of `value`.
    """
    return _walk(value, path, leaves, {f".{name}" for name in skipped}, set())


def _walk(value: Any, path: str, leaves: Any, skipped: set[str], seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    yield path, value
    if not isinstance(value, leaves):
        for name, held in _held_by(value):
            if name not in skipped:
                yield from _walk(held, f"{path}{name}", leaves, set(), seen)


def _held_by(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple | dict):
        if len(value) <= MOST_ITEMS:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"[{key!r:.40}]", item) for key, item in pairs)
    elif isinstance(value, nn.Module) or is_walked(value):
        yield from ((f".{name}", held) for name, held in attributes_of(value).items())
