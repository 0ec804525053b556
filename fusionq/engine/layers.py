"""Layers that torch.nn lacks or names otherwise."""

from __future__ import annotations

from torch import Tensor, nn


class Flatten(nn.Module):
    """Use it in front of a Linear layer: (N, *) becomes (N, product of the rest), of any dtype."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)
