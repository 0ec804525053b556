"""A script's own DataLoader, seen through: the same batches in the same order, out of resident tensors.

Only where the data set, its transforms and the loader are all ones that we know; the batches, and the random
numbers that are left afterwards, are then the loader's bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from fusionq.engine.data.resident import Resident, hold


class SeenThrough:
    """Batches of a DataLoader without its processes; a batch is a list of tensors, as its is."""

    def __init__(self, loader: DataLoader, resident: Resident) -> None:
        self._loader = loader
        self._resident = resident

    def __len__(self) -> int:
        return len(self._loader)

    def whole_length(self, batch: int) -> None:
        return None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[Tensor]]:
        # A DataLoader draws this number for its processes before it asks its sampler for the order.
        torch.empty((), dtype=torch.int64).random_(generator=self._loader.generator)
        return map(self._batch, islice(iter(self._loader.batch_sampler), start, None))

    def _batch(self, indices: list[int]) -> list[Tensor]:
        return self._resident.select(torch.as_tensor(indices, device=self._resident.device))


def see_through(loader: Any, device: torch.device) -> SeenThrough | None:
    """The batches of `loader` out of tensors on `device`, or None where it must do its work itself."""
    is_plain = (
        type(loader) is DataLoader
        and loader.batch_sampler is not None
        and loader.collate_fn is default_collate
        and loader.worker_init_fn is None
        and not loader.multiprocessing_context
    )
    if not is_plain:
        return None
    try:
        resident = hold(loader.dataset, [], device)
    except (RuntimeError, ValueError):
        return None  # the loader says in its own words what is wrong with a sample
    return SeenThrough(loader, resident) if resident else None
