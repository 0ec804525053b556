"""Many tensors as few: a checkpoint with a file entry for each item of a replay buffer takes minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MOST_PACKED = 4096
"""Elements of a tensor up to which it is packed with others of its dtype."""


def pack(tensors: Sequence[Tensor]) -> dict[str, Any]:
    """Returns the tensors in a form that `torch.load(weights_only=True)` reads, and `unpack` takes."""
    places: list[list[Any]] = []  # of each tensor: its group, and its shape or its number there
    groups: dict[str, list[Tensor]] = {}
    alone: list[Tensor] = []
    for tensor in tensors:
        if tensor.layout is not torch.strided or tensor.numel() > MOST_PACKED or tensor.is_quantized:
            places.append(["", len(alone)])
            alone.append(_compact(tensor))
        else:
            name = f"{tensor.dtype} {tensor.device}"
            groups.setdefault(name, []).append(tensor.reshape(-1))
            places.append([name, list(tensor.shape)])
    return {
        "places": places,
        "alone": alone,
        "packed": {name: torch.cat(parts).cpu() for name, parts in groups.items()},
    }


def unpack(packed: dict[str, Any]) -> list[Tensor]:
    """Returns the tensors that `pack` was given."""
    rest = {
        name: iter(flat.split([_numel(shape) for group, shape in packed["places"] if group == name]))
        for name, flat in packed["packed"].items()
    }
    return [
        next(rest[group]).reshape(at).clone() if group else packed["alone"][at]
        for group, at in packed["places"]
    ]


def _compact(tensor: Tensor) -> Tensor:
    """Returns the tensor without the rest of a larger one that it is a view of: all of it would be saved."""
    if tensor.layout is not torch.strided:
        return tensor
    is_view = tensor.untyped_storage().nbytes() > 2 * tensor.numel() * tensor.element_size()
    return tensor.clone() if is_view else tensor


def _numel(shape: Sequence[int]) -> int:
    return torch.Size(shape).numel()
