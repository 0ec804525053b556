"""Batches of a data set with transforms that a test has built itself."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset

from fusionq.engine.data.batches import Batches
from fusionq.engine.data.loading import BatchMaker
from fusionq.spec.job import DataSection


def make_batches(
    dataset: Dataset,
    transforms: list[Any],
    section: DataSection,
    device: torch.device,
    *,
    shuffle: bool,
    seed: int,
    augment: list[Any] | None = None,
) -> Batches:
    maker = BatchMaker(section, device, seed)
    maker._transforms = transforms
    maker._augment = augment or []
    return maker.make(dataset, train=shuffle)
