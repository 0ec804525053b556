"""Batches of an epoch, from any position: the one form in which the loop meets data.

The order of an epoch is a function of (seed, epoch), so a position in a run is just (epoch, batch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fusionq.engine.data.augment import Augmentation
from fusionq.engine.data.part import WHOLE, Part
from fusionq.engine.data.seeded import SeededSamples
from fusionq.engine.randomness import derive_seed
from fusionq.errors import DataError


class Batches(Protocol):
    """Data that can be gone through once per epoch, starting at any batch."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch (counted from 0) from batch `start` on."""
        ...


def epoch_order(num_samples: int, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch: int64 of shape (num_samples,), on the CPU."""
    generator = torch.Generator().manual_seed(derive_seed("order", seed, epoch))
    return torch.randperm(num_samples, generator=generator)


class DividedBatches(Batches, Protocol):
    """Batches of which each of several processes gets its part (see `Part`)."""

    def whole_length(self, batch: int) -> int:
        """How many samples batch number `batch` of an epoch holds for all processes together."""
        ...


def _whole_length(num_samples: int, batch_size: int, batch: int) -> int:
    return min(batch_size, num_samples - batch * batch_size)


class ResidentBatches:
    """Batches out of tensors that lie on the device: no copies from the host, no worker processes.

    `tensors` share their first dimension, one entry per sample; a batch is a tuple of (batch_size, …), or of
    the `part` of it that is ours.
    """

    def __init__(
        self,
        tensors: tuple[Tensor, ...],
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        transform: Any = None,
        augmentations: Sequence[Augmentation] = (),
        part: Part = WHOLE,
    ) -> None:
        self.tensors = tensors
        self.part = part
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.transform = transform  # of the first tensor, for what would not fit transformed
        self.augmentations = augmentations  # of the first tensor, before `transform`
        self.num_samples = len(tensors[0])

    def __len__(self) -> int:
        return -(-self.num_samples // self.batch_size)

    def whole_length(self, batch: int) -> int:
        return _whole_length(self.num_samples, self.batch_size, batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        if start >= len(self):
            return iter(())  # to split nothing would give one batch without samples
        batches = self._shuffled(epoch, start) if self.shuffle else self._in_order(start)
        if self.augmentations:
            batches = self._augmented(epoch, start)
        if self.transform is None:
            return batches
        return ((self.transform(batch[0]), *batch[1:]) for batch in batches)

    def _shuffled(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
        for indices in self._indices(epoch, start):
            yield tuple(tensor.index_select(0, indices) for tensor in self.tensors)

    def _augmented(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
        for augmentation in self.augmentations:
            augmentation.begin_epoch(epoch)
        for indices in self._indices(epoch, start):
            images, *rest = (tensor.index_select(0, indices) for tensor in self.tensors)
            for augmentation in self.augmentations:
                images = augmentation(images, indices)
            yield images, *rest

    def _indices(self, epoch: int, start: int) -> Sequence[Tensor]:
        """Our samples of every batch from `start` on: int64 on the device."""
        order = epoch_order(self.num_samples, self.seed, epoch).to(self.tensors[0].device)
        return [self.part.of(batch) for batch in order[start * self.batch_size :].split(self.batch_size)]

    def _in_order(self, start: int) -> Iterator[tuple[Tensor, ...]]:
        first = start * self.batch_size
        for batch in zip(*(tensor[first:].split(self.batch_size) for tensor in self.tensors), strict=True):
            yield tuple(map(self.part.of, batch))


class LoaderBatches:
    """Batches out of a DataLoader that we build: for data that is not held on the device."""

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: bool,
        seed: int = 0,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        part: Part = WHOLE,
    ) -> None:
        num_samples = len(dataset)  # type: ignore[arg-type]
        self._sampler = _BatchSampler(num_samples, batch_size, shuffle, seed, part)
        self._loader = DataLoader(
            SeededSamples(dataset, seed, is_alone=num_workers > 0),
            batch_sampler=self._sampler,
            num_workers=num_workers,
            collate_fn=collate_fn,
            pin_memory=device.type == "cuda",
            # Its own generator: starting an epoch must not draw from the model's random numbers.
            generator=torch.Generator().manual_seed(seed),
        )
        self._device = device

    def __len__(self) -> int:
        return self._sampler.num_batches

    def whole_length(self, batch: int) -> int:
        return _whole_length(self._sampler.num_samples, self._sampler.batch_size, batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        self._sampler.begin(epoch, start)
        for batch in self._loader:
            yield to_device(batch, self._device)


class ForeignBatches:
    """Batches out of whatever loader a script hands over, as it gives them."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        return islice(iter(self._loader), start, None)


class HookedBatches:
    """Batches whose inputs went through functions of the user's."""

    def __init__(self, batches: Batches, hooks: Sequence[Callable[[Any], Any]]) -> None:
        self._batches = batches
        self._hooks = hooks

    def __len__(self) -> int:
        return len(self._batches)

    def whole_length(self, batch: int) -> int:
        return self._batches.whole_length(batch)  # type: ignore[attr-defined]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        return map(self._apply, self._batches.epoch(epoch, start))

    def _apply(self, batch: Any) -> Any:
        is_pair = isinstance(batch, tuple | list)
        inputs = batch[0] if is_pair else batch
        for hook in self._hooks:
            inputs = hook(inputs)
        return (inputs, *batch[1:]) if is_pair else inputs


class _BatchSampler(Sampler):
    """Yields our part of every batch, as (epoch, index), from a position on; the skip costs nothing."""

    def __init__(self, num_samples: int, batch_size: int, shuffle: bool, seed: int, part: Part) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.num_batches = -(-num_samples // batch_size)
        self.shuffle = shuffle
        self.seed = seed
        self.part = part
        self.begin(0, 0)

    def begin(self, epoch: int, start: int) -> None:
        self._epoch = epoch
        self._start = start

    def __len__(self) -> int:
        return self.num_batches - self._start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order: Sequence[int] = range(self.num_samples)
        if self.shuffle:
            order = epoch_order(self.num_samples, self.seed, self._epoch).tolist()
        for first in range(self._start * self.batch_size, self.num_samples, self.batch_size):
            batch = [(self._epoch, index) for index in order[first : first + self.batch_size]]
            yield self.part.of(batch)


def as_batches(loader: Any) -> Batches:
    """Batches out of what a script passes as a loader. Raises DataError."""
    if hasattr(loader, "epoch"):
        return loader
    if not hasattr(loader, "__iter__") or not _has_length(loader):
        raise DataError(
            f"a loader must have a length and be iterable again and again; {type(loader).__name__} is not"
        )
    return ForeignBatches(loader)


def _has_length(loader: Any) -> bool:
    try:
        return len(loader) >= 0
    except TypeError:  # a DataLoader has __len__ even where its data set has none
        return False


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch with every tensor in it on `device`; containers keep their type."""
    if isinstance(batch, Tensor):
        return batch if batch.device == device else batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        moved = [to_device(item, device) for item in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    return batch


def batch_length(batch: Any) -> int:
    """How many samples a batch holds: the first dimension of the first tensor in it. Raises DataError."""
    if isinstance(batch, Tensor):
        return batch.shape[0] if batch.dim() else 1
    items = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, tuple | list) else ()
    for item in items:
        return batch_length(item)
    raise DataError(f"a batch must be a tensor, or hold tensors; this one is {type(batch).__name__}")
