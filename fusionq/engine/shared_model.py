"""A model that several processes train together: how it is called, and its batch norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def called_through(shared: DistributedDataParallel, model: nn.Module) -> Iterator[None]:
    """While it lasts, calling the model to train it calls `shared`, which calls the model.

    The trainer's own code goes on seeing the model itself, with its layers, attributes and state.
    """
    plain = type(model)
    is_within = False

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_within
        if is_within or not (self.training and torch.is_grad_enabled()):
            return plain.__call__(self, *args, **kwargs)
        is_within = True
        try:
            return shared(*args, **kwargs)
        finally:
            is_within = False

    model.__class__ = type(plain.__name__, (plain,), {"__call__": call, "__module__": plain.__module__})
    try:
        yield
    finally:
        model.__class__ = plain


def synced_batch_norm(model: nn.Module, warn: Callable[[str], None]) -> nn.Module:
    """The model with batch statistics over all ranks, where torch has that: on GPUs.

    The keys of its state stay as they are.
    """
    if torch.cuda.is_available():
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    warn("train.sync_batch_norm does nothing on the CPU: torch has it for GPUs only")
    return model
