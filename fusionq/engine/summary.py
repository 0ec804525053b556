"""A table of a network's layers: shapes, parameters, multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Row:
    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass
class Summary:
    """Print it. Shapes are those of one sample in a batch of one."""

    rows: list[Row] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0

    def __str__(self) -> str:
        head = ("Layer", "Input", "Output", "Parameters", "Multiply-adds")
        cells = [
            (r.name, str(r.input_shape), str(r.output_shape), f"{r.parameters:,}", f"{r.multiply_adds:,}")
            for r in self.rows
        ]
        widths = [max(len(row[i]) for row in [head, *cells]) for i in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in [head, *cells]]  # fmt: skip
        lines.insert(1, "-" * sum(widths, 8))
        lines.append(lines[1])
        lines.append(f"parameters {self.parameters:,}, trainable {self.trainable:,}")
        lines.append(f"multiply-adds {sum(row.multiply_adds for row in self.rows):,}")
        return "\n".join(lines)


def summarize(model: nn.Module, input_size: Sequence[int], device: torch.device) -> Summary:
    """Run one sample of shape `input_size` through the model and note every layer.

    The model is left as it was: eval mode while it runs, so BatchNorm keeps its statistics, and no gradients.
    """
    parameters = list(model.parameters())
    summary = Summary(
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
    )
    counts: dict[str, int] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        kind = type(module).__name__
        counts[kind] = counts.get(kind, 0) + 1
        own = sum(p.numel() for p in module.parameters(recurse=False))
        shape_in, shape_out = _shape(inputs), _shape(output)
        summary.rows.append(
            Row(f"{kind}_{counts[kind]}", shape_in, shape_out, own, _multiply_adds(module, shape_out))
        )

    leaves = [module for module in model.modules() if not list(module.children())]
    handles = [module.register_forward_hook(note) for module in leaves]
    modes = [(module, module.training) for module in model.modules()]
    generator = torch.Generator().manual_seed(0)  # not the training's own random numbers
    sample = torch.randn((1, *input_size), generator=generator).to(device)
    try:
        model.eval()
        with torch.no_grad():
            model(sample)
    finally:
        for handle in handles:
            handle.remove()
        for module, was_training in modes:
            module.training = was_training
    return summary


def _shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, tuple | list) and value:
        return _shape(value[0])
    return ()


def _multiply_adds(module: nn.Module, output: tuple[int, ...]) -> int:
    """Of the layers that dominate: convolutions (per output position) and linear ones."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() < 2 or isinstance(module, nn.Embedding):
        return 0
    positions = math.prod(output[2:]) if weight.dim() > 2 else math.prod(output[1:-1])
    return weight.numel() * positions
