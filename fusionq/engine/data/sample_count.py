"""How many samples a batch holds, whatever a loader or a `collate_fn` makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from fusionq.errors import DataError


def batch_length(batch: Any, expected: int | None = None) -> int:
    """The number of samples that all parts of a batch agree on. Raises DataError where nothing tells it.

    A tensor has its first dimension, a list of texts its length; a list of tensors is either several inputs
    for the same samples or one tensor for each sample, which the other parts and `expected`, the number that
    was loaded, decide.
    """
    first = batch[0] if isinstance(batch, tuple | list) and batch else batch
    if isinstance(first, Tensor) and first.dim() and expected in (None, first.shape[0]):
        return first.shape[0]
    possible = _possible(batch) or []
    if expected is not None and (expected in possible or not possible):
        return expected
    if possible:
        return possible[0]
    raise DataError(
        f"how many samples a batch holds cannot be told from this {type(batch).__name__}; a batch is a "
        "tensor, or a tuple, list or dict with tensors in it"
    )


def _possible(part: Any) -> list[int] | None:
    """The numbers of samples that a part may hold, the likeliest first; None where it says nothing."""
    if isinstance(part, Tensor):
        return [part.shape[0]] if part.dim() else None
    if isinstance(part, Mapping):
        return _agreed(part.values())
    if isinstance(part, tuple | list):
        is_list = len(part) > 0 and not hasattr(part, "_fields")
        return [*dict.fromkeys([*(_agreed(part) or []), *([len(part)] if is_list else [])])] or None
    return None


def _agreed(parts: Iterable[Any]) -> list[int] | None:
    """What all parts that say something have in common; where they have nothing, nothing."""
    told = [numbers for part in parts if (numbers := _possible(part))]
    if not told:
        return None
    return [number for number in told[0] if all(number in numbers for numbers in told[1:])] or None
