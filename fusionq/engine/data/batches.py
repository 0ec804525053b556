"""Batches of an epoch, from any position: the one form in which the loop meets data.

The order of an epoch is a function of (seed, epoch), so a position in a run is just (epoch, batch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from fusionq.engine.data.augment import Augmentation
from fusionq.engine.data.collate import collate
from fusionq.engine.data.loader_processes import load_in_processes
from fusionq.engine.data.order import Cut, InOrder, order_of
from fusionq.engine.data.part import WHOLE, Part
from fusionq.engine.data.rows import with_inputs
from fusionq.engine.data.seeded_samples import Asked, SeededSamples
from fusionq.errors import DataError


class Batches(Protocol):
    """Data that can be gone through once per epoch, starting at any batch."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch (counted from 0) from batch `start` on."""
        ...

    def whole_length(self, batch: int) -> int | None:
        """How many samples batch number `batch` of an epoch holds for all processes together.

        None where only the batch itself can tell it, as with a loader of the user's own.
        """
        ...


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
        sampler: Any = None,
        drop_last: bool = False,
        transform: Any = None,
        augmentations: Sequence[Augmentation] = (),
        part: Part = WHOLE,
    ) -> None:
        self.tensors = tensors
        self.part = part
        self.transform = transform  # of the first tensor, for what would not fit transformed
        self.augmentations = augmentations  # of the first tensor, before `transform`
        self._order = order_of(len(tensors[0]), shuffle, seed, sampler)
        self._cut = Cut(len(self._order), batch_size, drop_last)

    def __len__(self) -> int:
        return len(self._cut)

    def whole_length(self, batch: int) -> int:
        return self._cut.length(batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        if start >= len(self):
            return iter(())  # to split nothing would give one batch without samples
        is_in_order = isinstance(self._order, InOrder)
        batches = self._in_order(start) if is_in_order else self._chosen(epoch, start)
        if self.augmentations:
            batches = self._augmented(epoch, start)
        if self.transform is None:
            return batches
        return ((self.transform(batch[0]), *batch[1:]) for batch in batches)

    def _chosen(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
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
        order = self._order.of(epoch).to(self.tensors[0].device)
        return [self.part.of(batch) for batch in self._cut.batches(order, start)]

    def _in_order(self, start: int) -> Iterator[tuple[Tensor, ...]]:
        for batch in zip(*(self._cut.batches(tensor, start) for tensor in self.tensors), strict=True):
            yield tuple(map(self.part.of, batch))


class LoaderBatches:
    """Batches out of a data set sample by sample, here or in processes: for data not held on the device."""

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: bool,
        seed: int = 0,
        sampler: Any = None,
        drop_last: bool = False,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        part: Part = WHOLE,
    ) -> None:
        self._order = order_of(len(dataset), shuffle, seed, sampler)  # type: ignore[arg-type]
        self._cut = Cut(len(self._order), batch_size, drop_last)
        self._samples = SeededSamples(dataset, seed, is_alone=num_workers > 0)
        self._seed = seed
        self._num_workers = num_workers
        self._collate_fn = collate_fn
        self._part = part
        self._device = device

    def __len__(self) -> int:
        return len(self._cut)

    def whole_length(self, batch: int) -> int:
        return self._cut.length(batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        asked = self._asked(epoch, start)
        if self._num_workers:
            return self._through_processes(asked)
        # A DataLoader without processes does the same, and asks itself more at every batch.
        collate_fn = self._collate_fn or collate
        is_pinned = self._device.type == "cuda"
        return (to_device(collate_fn(self._samples.__getitems__(a)), self._device, is_pinned) for a in asked)

    def _through_processes(self, asked: Iterable[Asked]) -> Iterator[Any]:
        collate_fn, seed = self._collate_fn, self._seed
        loaded = load_in_processes(
            self._samples, self._num_workers, self._device, collate_fn=collate_fn, asked=asked, seed=seed
        )
        for batch in loaded:
            yield to_device(batch, self._device)

    def _asked(self, epoch: int, start: int) -> Iterator[Asked]:
        """Our part of every batch from `start` on."""
        size = self._cut.batch_size
        order = self._order.of(epoch).tolist()
        for number in range(start, len(self)):
            batch = order[number * size : (number + 1) * size]
            yield Asked(epoch, number * size + self._part.first(len(batch)), self._part.of(batch))


class ForeignBatches:
    """Batches out of whatever loader a script hands over, as it gives them."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def whole_length(self, batch: int) -> None:
        return None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        return islice(iter(self._loader), start, None)


class HookedBatches:
    """Batches whose inputs went through functions of the user's."""

    def __init__(self, batches: Batches, hooks: Sequence[Callable[[Any], Any]]) -> None:
        self.inner = batches
        self._hooks = hooks

    def __len__(self) -> int:
        return len(self.inner)

    def whole_length(self, batch: int) -> int | None:
        return self.inner.whole_length(batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        return map(self._apply, self.inner.epoch(epoch, start))

    def _apply(self, batch: Any) -> Any:
        return with_inputs(batch, self._through_hooks)

    def _through_hooks(self, inputs: Any) -> Any:
        for hook in self._hooks:
            inputs = hook(inputs)
        return inputs


def example_of(batches: Any) -> Any:
    """A batch such as an epoch has, or None; where a stream stands in the training stays as it is."""
    for layer in layers_of(batches):
        if hasattr(layer, "example"):
            return layer.example()
    return next(iter(batches.epoch(0)), None)


def close_batches(batches: Any) -> None:
    """End what batches keep between epochs: loader processes left to the garbage collector take seconds."""
    for layer in layers_of(batches):
        if hasattr(layer, "close"):
            layer.close()


def layers_of(batches: Any) -> Iterator[Any]:
    """The batches and those that they are made of, from the outside."""
    while batches is not None:
        yield batches
        batches = getattr(batches, "inner", None)


def as_batches(loader: Any) -> Batches:
    """Batches out of what a script passes as a loader. Raises DataError."""
    if hasattr(loader, "whole_length"):
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


def to_device(batch: Any, device: torch.device, is_pinned: bool = False) -> Any:
    """The batch with every tensor in it on `device`; containers keep their type.

    `is_pinned`: by way of memory that the device copies from while the host goes on.
    """
    if isinstance(batch, Tensor):
        if batch.device == device:
            return batch
        return (batch.pin_memory() if is_pinned else batch).to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device, is_pinned) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        moved = [to_device(item, device, is_pinned) for item in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    return batch
