"""Data sets as tensors on the device: decoded once, transformed once or in whole batches.

The result is the same, bit for bit, as loading sample by sample; what cannot be handled so is left to a
DataLoader (`resident_batches` answers None).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import CIFAR10, MNIST
from torchvision.transforms import transforms as v1
from torchvision.transforms import v2

from fusionq.engine.data.augment import Augmentation, batched
from fusionq.engine.data.batches import ResidentBatches
from fusionq.engine.data.digits import Digits
from fusionq.engine.data.part import WHOLE, Part

SHARE_OF_FREE_MEMORY = 0.25
CHUNK = 4096

# The transforms that we know, in torchvision's first and second version.
COMPOSES = (v1.Compose, v2.Compose)
RESIZES = (v1.Resize, v2.Resize)
SCALING_TO_TENSOR = (v1.ToTensor, v2.ToTensor)
PLAIN_TO_TENSOR = (v1.PILToTensor, v2.PILToTensor, v2.ToImage)
ON_TENSORS = (v1.Normalize, v2.Normalize, v1.ConvertImageDtype, v2.ConvertImageDtype, v2.ToDtype)

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Resident:
    """A data set on its device. `transform` is of the first tensor, where the result would not fit."""

    tensors: tuple[Tensor, ...]
    transform: Transform | None = None

    @property
    def device(self) -> torch.device:
        return self.tensors[0].device

    def select(self, indices: Tensor) -> list[Tensor]:
        """The samples at `indices` (int64 on the device): a tensor of (number, …) for each part."""
        first, *rest = (tensor.index_select(0, indices) for tensor in self.tensors)
        return [self.transform(first) if self.transform else first, *rest]


def hold(
    dataset: Any,
    transforms: list[Any],
    device: torch.device,
    *,
    transform_later: bool = False,
    num_processes: int = 1,
) -> Resident | None:
    """The data set on `device`, transformed once where that fits; None where we cannot hold it.

    `transforms` come after those that the data set has itself. With `transform_later` they wait for the
    batch, since something comes before them. On the host `num_processes` of a job hold it, each for itself.
    """
    tensors = _as_tensors(dataset)
    steps = None if tensors is None else _batched_steps([*own_transforms(dataset), *transforms], tensors[0])
    if tensors is None or steps is None:
        return None
    budget = SHARE_OF_FREE_MEMORY * _free_memory(device)
    if device.type == "cpu":
        budget /= num_processes
    if _size(tensors) > budget:
        return None
    first, *rest = (tensor.to(device) for tensor in tensors)
    if not steps:
        return Resident((first, *rest))
    if transform_later or _transformed_size(first, steps) > budget:
        return Resident((first, *rest), _Chain(steps))
    return Resident((_in_chunks(first, steps), *rest))


def resident_batches(
    dataset: Any,
    transforms: list[Any],
    batch_size: int,
    device: torch.device,
    *,
    shuffle: bool,
    seed: int = 0,
    sampler: Any = None,
    drop_last: bool = False,
    augment: Sequence[Any] = (),
    part: Part = WHOLE,
) -> ResidentBatches | None:
    """The batches of a data set on `device`, or None where it must go through a DataLoader.

    `transforms` are the torchvision transforms of each sample, in order, after the data set's own. Those of
    `augment` are random and stand between the two, so a data set that has its own is left to a DataLoader.
    """
    if augment and own_transforms(dataset):
        return None
    tensors = _as_tensors(dataset) if augment else None
    augmentations = _batched_augmentations(augment, tensors, seed, device)
    resident = hold(dataset, transforms, device, transform_later=bool(augment), num_processes=part.count)
    if resident is None or augmentations is None:
        return None
    return ResidentBatches(
        resident.tensors,
        batch_size,
        shuffle=shuffle,
        seed=seed,
        sampler=sampler,
        drop_last=drop_last,
        transform=resident.transform,
        augmentations=augmentations,
        part=part,
    )


def _batched_augmentations(
    augment: Sequence[Any], tensors: tuple[Tensor, ...] | None, seed: int, device: torch.device
) -> list[Augmentation] | None:
    """The transforms in their batched form, or None where one of them has none."""
    if augment and (tensors is None or tensors[0].dim() != 4):
        return None
    found = []
    for place, transform in enumerate(augment):
        images = tensors[0]
        augmentation = batched(transform, tuple(images.shape[-2:]), place, seed, len(images), device)
        if augmentation is None:
            return None
        found.append(augmentation)
    return found


def own_transforms(dataset: Any) -> list[Any]:
    """What a data set does to each of its samples, also when it is a part of another."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    transform = getattr(dataset, "transform", None)
    return [] if transform is None else [transform]


def _as_tensors(dataset: Any) -> tuple[Tensor, ...] | None:
    """All samples of a data set whose storage we know: images as uint8 of shape (N, C, H, W)."""
    if type(dataset) is TensorDataset:
        return dataset.tensors
    if type(dataset) is Subset:
        whole = _as_tensors(dataset.dataset)
        chosen = torch.as_tensor(dataset.indices)
        return tuple(tensor[chosen] for tensor in whole) if whole else None
    # A subclass with its own __getitem__ may do anything.
    getter = type(dataset).__getitem__
    if getattr(dataset, "target_transform", None) is not None:
        return None
    if getter in (MNIST.__getitem__, Digits.__getitem__):
        return dataset.data.unsqueeze(1), torch.as_tensor(dataset.targets)
    if getter is CIFAR10.__getitem__:
        return torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous(), torch.as_tensor(
            dataset.targets
        )
    return None


def _batched_steps(transforms: list[Any], images: Tensor) -> list[Transform] | None:
    """The transforms as functions of whole batches, or None where one of them is not known to be one."""
    steps: list[Transform] = []
    is_tensor = False  # the samples are pictures at first, on which some transforms do nothing
    for transform in _flat(transforms):
        kind = type(transform)
        if kind in RESIZES and _keeps_size(transform, images):
            continue
        if kind in (*SCALING_TO_TENSOR, *PLAIN_TO_TENSOR):
            if kind in SCALING_TO_TENSOR and not is_tensor:
                steps.append(_to_unit_float)
            is_tensor = True  # what we hold is such a tensor already
        elif kind in ON_TENSORS and is_tensor:
            steps.append(transform)
        else:
            return None
    is_image = images.dim() == 4 and images.dtype == torch.uint8
    return steps if is_image or not transforms else None


def _flat(transforms: list[Any]) -> Iterator[Any]:
    """The transforms in order, with those inside a Compose in its place."""
    for transform in transforms:
        if type(transform) in COMPOSES:
            yield from _flat(transform.transforms)
        else:
            yield transform


def _to_unit_float(images: Tensor) -> Tensor:
    return images.to(torch.float32).div(255)


def _keeps_size(resize: Any, images: Tensor) -> bool:
    size = list(resize.size) if isinstance(resize.size, list | tuple) else [resize.size]
    return (size * 2)[:2] == list(images.shape[-2:])


class _Chain:
    def __init__(self, steps: list[Transform]) -> None:
        self.steps = steps

    def __call__(self, images: Tensor) -> Tensor:
        for step in self.steps:
            images = step(images)
        return images


def _in_chunks(images: Tensor, steps: list[Transform]) -> Tensor:
    """All images transformed; in chunks, so that the steps between need little memory."""
    chain = _Chain(steps)
    example = chain(images[:1])
    result = torch.empty((len(images), *example.shape[1:]), dtype=example.dtype, device=images.device)
    for start in range(0, len(images), CHUNK):
        result[start : start + CHUNK] = chain(images[start : start + CHUNK])
    return result


def _transformed_size(images: Tensor, steps: list[Transform]) -> int:
    example = _Chain(steps)(images[:1])
    return len(images) * example.numel() * example.element_size()


def _size(tensors: tuple[Tensor, ...]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
