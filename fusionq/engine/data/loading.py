"""The batches of a job: resident on the device where that can be, through a DataLoader elsewhere."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch.utils.data import Dataset, Subset
from torchvision.transforms import v2

from fusionq.engine.build import build
from fusionq.engine.data.batches import Batches, HookedBatches, LoaderBatches
from fusionq.engine.data.resident import resident_batches
from fusionq.errors import DataError
from fusionq.spec.job import DataSection

TEST_BATCH_FACTOR = 4


def build_transforms(section: DataSection) -> list[Any]:
    """The transforms of `data.transform`. Raises TargetError."""
    with warnings.catch_warnings():
        # v2 wants ToTensor spelled as two transforms; it is the word that everybody knows.
        warnings.filterwarnings("ignore", message="The transform `ToTensor")
        return [build(block, f"data.transform.{i}") for i, block in enumerate(section.transform)]


def make_batches(
    dataset: Dataset,
    transforms: list[Any],
    section: DataSection,
    device: torch.device,
    *,
    shuffle: bool,
    seed: int,
    channels_last: bool = False,
) -> Batches:
    """Batches of a data set that was opened without transforms. Raises DataError."""
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise DataError(
            f"{type(dataset).__name__} has no length or no items; only map-style data sets can be used"
        )
    if len(dataset) == 0:
        raise DataError(f"{type(dataset).__name__} is empty")
    # Only testing is not shuffled; without gradients a larger batch takes no more memory than training.
    size = section.batch_size * (1 if shuffle else TEST_BATCH_FACTOR)
    batches = resident_batches(dataset, transforms, size, device, shuffle=shuffle, seed=seed)
    if batches is None:
        if transforms:
            _set_transforms(dataset, transforms)
        batches = LoaderBatches(
            dataset, section.batch_size, device, shuffle=shuffle, seed=seed, num_workers=section.num_workers
        )
    return HookedBatches(batches, [_channels_last]) if channels_last else batches


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    return images.contiguous(memory_format=torch.channels_last) if images.dim() == 4 else images


def _set_transforms(dataset: Any, transforms: list[Any]) -> None:
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    transform = v2.Compose(transforms)
    before = getattr(dataset, "transform", transform)
    if before is not transform and getattr(before, "transforms", None) is transforms:
        return  # train and validation are parts of one data set
    if before is not None:
        raise DataError(
            f"data.transform: {type(dataset).__name__} takes no transform or has one already; "
            "transform in the data set itself"
        )
    dataset.transform = transform
    if hasattr(dataset, "transforms"):  # torchvision keeps a second form that it uses
        from torchvision.datasets.vision import StandardTransform

        dataset.transforms = StandardTransform(transform, getattr(dataset, "target_transform", None))
