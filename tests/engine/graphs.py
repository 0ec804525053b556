"""A layer that shows how many graphs behind its outputs are alive."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn


class _Mark:
    """Lives as long as the graph that holds it."""


class _Marking(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, marks: weakref.WeakSet[_Mark]) -> Tensor:
        ctx.mark = _Mark()
        marks.add(ctx.mark)
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class Watched(nn.Module):
    """Passes its inputs on; `num_graphs` counts the graphs through it that somebody still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: weakref.WeakSet[_Mark] = weakref.WeakSet()

    @property
    def num_graphs(self) -> int:
        return len(self.marks)

    def forward(self, inputs: Tensor) -> Tensor:
        return _Marking.apply(inputs, self.marks)
