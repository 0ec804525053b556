"""Losses that stretch outputs and targets of different shapes to one, and train to nonsense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusionq.errors import LossError

_MODULES = (
    nn.MSELoss,
    nn.L1Loss,
    nn.SmoothL1Loss,
    nn.HuberLoss,
    nn.PoissonNLLLoss,
    nn.KLDivLoss,
    nn.SoftMarginLoss,
)
_FUNCTIONS = (
    functional.mse_loss,
    functional.l1_loss,
    functional.smooth_l1_loss,
    functional.huber_loss,
    functional.poisson_nll_loss,
    functional.kl_div,
    functional.soft_margin_loss,
)


def shape_mistake(loss_fn: Any, outputs: Any, targets: Any) -> str | None:
    """Returns what is wrong with the shapes for a loss that compares element by element; None if nothing is.

    One number against many is meant, and so is one column or channel against several.
    """
    if type(loss_fn) not in _MODULES and loss_fn not in _FUNCTIONS:
        return None
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    if outputs.shape == targets.shape or 1 in (outputs.numel(), targets.numel()):
        return None
    try:
        stretched = torch.broadcast_shapes(outputs.shape, targets.shape)
    except RuntimeError:
        return None  # torch refuses them itself
    is_larger = stretched.numel() > max(outputs.numel(), targets.numel())
    if outputs.dim() == targets.dim() and not is_larger:
        return None
    return (
        f"{_name(loss_fn)} would stretch outputs of shape {tuple(outputs.shape)} and targets of shape "
        f"{tuple(targets.shape)} to {tuple(stretched)} and compare each with each; give both one shape, "
        "such as by targets.unsqueeze(1) or outputs.squeeze(1)"
    )


@contextmanager
def checked_shapes(loss_fn: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """While it lasts, the loss raises LossError where it would stretch its outputs or targets."""
    if type(loss_fn) in _MODULES:
        hook = loss_fn.register_forward_pre_hook(lambda module, args: _check(module, args))  # type: ignore[attr-defined]
        try:
            yield loss_fn
        finally:
            hook.remove()
    elif loss_fn in _FUNCTIONS:

        def checked(*args: Any, **kwargs: Any) -> Any:
            _check(loss_fn, args)
            return loss_fn(*args, **kwargs)

        yield checked
    else:
        yield loss_fn


def _check(loss_fn: Any, args: tuple[Any, ...]) -> None:
    if len(args) >= 2 and (mistake := shape_mistake(loss_fn, *args[:2])):
        raise LossError(f"loss: {mistake}")


def _name(loss_fn: Any) -> str:
    return getattr(loss_fn, "__name__", type(loss_fn).__name__)
