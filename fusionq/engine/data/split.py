"""The share of the training samples that `data.val_fraction` keeps for validation."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset, Subset

from fusionq.engine.randomness import derive_seed
from fusionq.errors import DataError


def num_to_train(num_samples: int, fraction: float | None) -> int:
    """How many samples are left to train on."""
    return num_samples - round(num_samples * (fraction or 0))


def split(dataset: Any, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """The data set without a share drawn by the seed, and that share. Raises DataError where one is empty."""
    size = len(dataset)
    num_val = size - num_to_train(size, fraction)
    if not 0 < num_val < size:
        raise DataError(
            f"data.val_fraction: {fraction} of {size} samples leaves nothing to train or to validate on"
        )
    generator = torch.Generator().manual_seed(derive_seed("split", seed))
    order = torch.randperm(size, generator=generator)
    return (
        Subset(dataset, order[num_val:].sort().values.tolist()),
        Subset(dataset, order[:num_val].sort().values.tolist()),
    )
