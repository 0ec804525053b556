"""Batches that are made in processes of their own: the one place where a DataLoader is set up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset


def load_in_processes(
    dataset: Dataset,
    num_workers: int,
    device: torch.device,
    *,
    collate_fn: Callable[[Any], Any] | None = None,
    asked: Iterable[Any] | None = None,
    seed: int = 0,
) -> Iterator[Any]:
    """Yields what `dataset` gives for each of `asked`, or, without them, the batches that it yields itself.

    They lie on the host, in memory that `device` copies from while the host goes on.
    """
    how: dict[str, Any] = {"batch_size": None} if asked is None else {"batch_sampler": asked}
    return iter(
        DataLoader(
            dataset,
            num_workers=num_workers,
            collate_fn=collate_fn,
            pin_memory=device.type == "cuda",
            # Its own generator: starting an epoch must not draw from the model's random numbers.
            generator=torch.Generator().manual_seed(seed),
            **how,
        )
    )
