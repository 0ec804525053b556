"""Checksums of tensors, computed where they lie."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_CHUNK = 1 << 20
_FACTOR = 0x9E3779B97F4A7C15 - (1 << 64)  # odd, so that no bit of a chunk's sum is lost


def checksum(tensors: Iterable[Tensor]) -> int:
    """Returns a number (64 bits, signed) that tells apart all but equal bits. Waits for the device."""
    total: Tensor | None = None
    for tensor in tensors:
        sums = _sum_of(tensor.detach())
        total = sums if total is None else total.to(sums.device) * _FACTOR + sums
    return 0 if total is None else int(total.item())


def _sum_of(tensor: Tensor) -> Tensor:
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    words = flat[: flat.numel() // 4 * 4].view(torch.int32)
    total = torch.full((), tensor.numel(), dtype=torch.int64, device=tensor.device)
    weights = _weights(min(_CHUNK, max(words.numel(), 4)), tensor.device)
    for chunk in (*words.split(_CHUNK), flat[words.numel() * 4 :]):
        if chunk.numel():
            total = total * _FACTOR + (chunk.to(torch.int64) * weights[: chunk.numel()]).sum()
    return total


def _weights(length: int, device: torch.device) -> Tensor:
    """Returns odd numbers, one for each place: what has changed places has another sum."""
    places = torch.arange(length, dtype=torch.int64, device=device)
    return (places * _FACTOR) * 2 + 1
