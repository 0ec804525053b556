"""The form of a batch: shapes and types, to be filled with tensors that hold no numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from fusionq.engine.checking.building import one_line
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.samples import Sample
from fusionq.engine.data.rows import inputs_of
from fusionq.spec.reader import Path_, dotted

MOST_COLLATED_BYTES = 64_000_000


@dataclass(frozen=True)
class Batch:
    """`parts` is what the loader gives, with real tensors of one sample or more; `size` samples are meant."""

    parts: Any
    size: int
    num_classes: int | None
    is_whole: bool = False  # parts has all the samples already

    def make(self, value: Any = None) -> Any:
        """Empty tensors of the form of `value` (default: all parts), on the device that is set."""
        value = self.parts if value is None else value
        return each_tensor(value, lambda t: torch.empty(self._shape(t), dtype=t.dtype))

    def num_bytes(self) -> int:
        """The memory that it takes."""
        sizes: list[int] = []
        each_tensor(self.parts, lambda t: sizes.append(self._shape(t).numel() * t.element_size()))
        return sum(sizes)

    def form(self) -> Any:
        """Something to compare: two batches of the same form need no two rehearsals."""
        return each_tensor(self.inputs, lambda t: (tuple(t.shape[1:]), t.dtype))

    @property
    def inputs(self) -> Any:
        return inputs_of(self.parts)

    def _shape(self, tensor: Tensor) -> torch.Size:
        return tensor.shape if self.is_whole else torch.Size((self.size, *tensor.shape[1:]))


def batch_of(
    sample: Sample,
    batch_size: int,
    collate: Callable[[list[Any]], Any] | None,
    place: Path_,
    findings: Findings,
) -> Batch | None:
    """A batch of samples like this one, or None after a problem or a note."""
    size = min(batch_size, sample.num_samples or batch_size)
    try:
        one = (collate or default_collate)([sample.value])
        if collate is None:
            return Batch(one, size, sample.num_classes)
        # Only the function itself knows which dimension is the batch's.
        if size * Batch(one, 1, None, True).num_bytes() > MOST_COLLATED_BYTES:
            findings.note("data.collate_fn: its batches are too large to try; shapes were not checked")
            return None
        return Batch(collate([sample.value] * size), size, sample.num_classes, is_whole=True)
    except Exception as error:
        if collate is None and isinstance(error, TypeError):
            findings.problem(
                place, f"no batch can be made of its samples ({one_line(error, with_kind=False)})"
            )
        else:
            findings.note(
                f"{dotted(place)}: no batch was made of it ({one_line(error)}); shapes were not checked"
            )
        return None


def each_tensor(value: Any, act: Callable[[Tensor], Any]) -> Any:
    """The value with `act` done to each tensor in it."""
    if isinstance(value, Tensor):
        return act(value)
    if isinstance(value, dict):
        return {key: each_tensor(item, act) for key, item in value.items()}
    if isinstance(value, tuple | list):
        made = [each_tensor(item, act) for item in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value


def shape_text(value: Any) -> str:
    """`64 x 100`, and the type where it is not the usual one: `64 x 784 of uint8`."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    size = " x ".join(map(str, value.shape)) or "single number"
    kind = "" if value.dtype == torch.float32 else f" of {str(value.dtype).removeprefix('torch.')}"
    return size + kind
