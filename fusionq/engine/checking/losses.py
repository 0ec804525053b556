"""torch's own losses, tried with a few real numbers: without any they do not look at types and classes."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from fusionq.engine.checking.batch import shape_text
from fusionq.engine.checking.building import Builder, PlacedError, one_line
from fusionq.engine.checking.findings import Findings
from fusionq.engine.loss_shapes import shape_mistake
from fusionq.spec.job import Target

MOST_ELEMENTS = 2**20
_ALIKE = "Using a target size"
"""How torch begins to say that it stretches outputs and targets to one shape, which is rarely meant."""


def is_of_torch(target: Any) -> bool:
    """Whether a loss is one of torch.nn."""
    return isinstance(target, type) and target.__module__.startswith("torch.nn.")


def small_loss(
    block: Target, builder: Builder, outputs: Any, targets: Any, num_classes: int | None, findings: Findings
) -> None:
    """Build the loss and compute it, with its gradient, on made-up outputs and targets of the real form."""
    try:
        loss_fn = builder.build(block, ("loss",))
    except PlacedError as error:
        findings.problem(error.place, error.message)
        return
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return
    if _has_too_few_classes(loss_fn, outputs, targets, num_classes, findings):
        return
    if mistake := shape_mistake(loss_fn, outputs, targets):
        findings.problem(("loss",), mistake)
        return
    if outputs.numel() + targets.numel() > MOST_ELEMENTS:
        return
    made = torch.full(outputs.shape, 0.5, dtype=outputs.dtype, device="cpu").requires_grad_()
    wanted = torch.zeros(targets.shape, dtype=targets.dtype, device="cpu")
    if targets.is_floating_point():
        wanted += 0.5
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            loss_fn(made, wanted).backward()
        except Exception as error:
            reason = one_line(error, with_kind=not isinstance(error, RuntimeError))
            forms = f"outputs {shape_text(outputs)}, targets {shape_text(targets)}"
            findings.problem(("loss",), f"{type(loss_fn).__name__}: {reason} ({forms})")
    for warning in said:
        if str(warning.message).startswith(_ALIKE):
            findings.note(f"loss: {type(loss_fn).__name__}: {one_line(warning.message, with_kind=False)}")


def _has_too_few_classes(
    loss_fn: Any, outputs: Tensor, targets: Tensor, num_classes: int | None, findings: Findings
) -> bool:
    if type(loss_fn) not in (nn.CrossEntropyLoss, nn.NLLLoss) or num_classes is None:
        return False
    are_numbers = not targets.is_floating_point() and targets.dim() == outputs.dim() - 1
    if outputs.dim() < 2 or not are_numbers or loss_fn.ignore_index >= 0:
        return False
    if outputs.shape[1] >= num_classes:
        return False
    findings.problem(
        ("model",), f"it gives {outputs.shape[1]} outputs, but the data has {num_classes} classes"
    )
    return True
