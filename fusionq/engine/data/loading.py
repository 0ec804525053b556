"""The batches of a job: resident on the device where that can be, through a DataLoader elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset
from torchvision.transforms import v2

from fusionq.engine.build import build, build_arguments, call, find_target, first_taken
from fusionq.engine.data.batches import (
    Batches,
    HookedBatches,
    LoaderBatches,
    ResidentBatches,
)
from fusionq.engine.data.epoch_steps import SteppedBatches
from fusionq.engine.data.part import WHOLE, Part
from fusionq.engine.data.resident import resident_batches
from fusionq.engine.data.rows import with_inputs
from fusionq.engine.data.seeded_samples import gives_batches
from fusionq.engine.data.stream import StreamBatches, is_stream, no_dataset
from fusionq.errors import DataError
from fusionq.spec.job import DataSection
from fusionq.spec.kinds import DATA_OF_SAMPLER
from fusionq.spec.targets import TARGET

TEST_BATCH_FACTOR = 4


class Transformed(Dataset):
    """Samples whose inputs went through a transform: (inputs, …), or inputs alone."""

    def __init__(self, dataset: Any, transform: Callable[[Any], Any]) -> None:
        self.dataset = dataset
        self.transform = transform

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def gives_batches(self) -> bool:
        return gives_batches(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return with_inputs(self.dataset[index], self.transform)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [with_inputs(sample, self.transform) for sample in self.dataset.__getitems__(indices)]


class BatchMaker:
    """Makes the batches of every data set of a job; making it raises TargetError for a wrong transform."""

    def __init__(
        self,
        section: DataSection,
        device: torch.device,
        seed: int,
        *,
        channels_last: bool = False,
        part: Part = WHOLE,
        steps_per_epoch: int | None = None,
    ) -> None:
        self._section = section
        self._steps_per_epoch = steps_per_epoch
        self._device = device
        self._seed = seed
        self._channels_last = channels_last
        self._part = part
        self._transforms = _build_all(section.transform, "data.transform")
        self._augment = _build_all(section.augment, "data.augment")
        self._collate_fn = find_target(section.collate_fn, "data.collate_fn") if section.collate_fn else None

    def make(self, dataset: Dataset, *, train: bool) -> Batches:
        """Batches to train on, shuffled and augmented, or to test on, in order. Raises DataError."""
        is_streamed = is_stream(type(dataset))
        batches: Batches = self._of_stream(dataset, train) if is_streamed else self._of_items(dataset, train)
        if train and self._steps_per_epoch is not None:
            batches = SteppedBatches(batches, self._steps_per_epoch)
        return HookedBatches(batches, [_to_channels_last]) if self._channels_last else batches

    def _of_items(self, dataset: Dataset, train: bool) -> Batches:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise DataError(no_dataset(type(dataset)))
        if len(dataset) == 0:
            raise DataError(f"{type(dataset).__name__} is empty")
        augment = self._augment if train else []
        sampler = self._sampler(dataset) if train else None
        resident = self._resident(dataset, augment, train, sampler)
        batches = resident or self._through_loader(dataset, augment, train, sampler)
        if len(batches) == 0:
            raise DataError(
                f"data.drop_last leaves no batch to train on: {len(dataset)} samples, and data.batch_size is "
                f"{self._section.batch_size}"
            )
        return batches

    def _of_stream(self, dataset: Any, train: bool) -> StreamBatches:
        steps = [*(self._augment if train else []), *self._transforms]
        return StreamBatches(
            dataset,
            self._section.batch_size,
            self._device,
            seed=self._seed,
            drop_last=train and self._section.drop_last,
            num_workers=self._section.num_workers,
            transform=v2.Compose(steps) if steps else None,
            collate_fn=self._collate_fn,
            part=self._part,
        )

    def _sampler(self, dataset: Dataset) -> Any:
        """The job's sampler, made with the data set where it takes it. Raises TargetError."""
        block, place = self._section.sampler, "data.sampler"
        if block is None:
            return None
        target = find_target(block[TARGET], place)
        args, kwargs = build_arguments(block, place)
        if name := first_taken(target, DATA_OF_SAMPLER):
            kwargs[name] = dataset
        return call(target, place, args, kwargs)

    def _resident(
        self, dataset: Dataset, augment: list[Any], train: bool, sampler: Any
    ) -> ResidentBatches | None:
        if self._collate_fn is not None:
            return None
        # Without gradients a larger batch takes no more memory than training does.
        size = self._section.batch_size * (1 if train else TEST_BATCH_FACTOR)
        return resident_batches(
            dataset,
            self._transforms,
            size,
            self._device,
            shuffle=train and self._section.shuffle is not False,
            seed=self._seed,
            sampler=sampler,
            drop_last=train and self._section.drop_last,
            augment=augment,
            part=self._part,
        )

    def _through_loader(
        self, dataset: Dataset, augment: list[Any], train: bool, sampler: Any
    ) -> LoaderBatches:
        steps = [*augment, *self._transforms]
        return LoaderBatches(
            Transformed(dataset, v2.Compose(steps)) if steps else dataset,
            self._section.batch_size,
            self._device,
            shuffle=train and self._section.shuffle is not False,
            seed=self._seed,
            sampler=sampler,
            drop_last=train and self._section.drop_last,
            num_workers=self._section.num_workers,
            collate_fn=self._collate_fn,
            part=self._part,
        )


def _build_all(blocks: Sequence[Mapping[str, Any]], place: str) -> list[Any]:
    with warnings.catch_warnings():
        # v2 wants ToTensor spelled as two transforms; it is the word that everybody knows.
        warnings.filterwarnings("ignore", message="The transform `ToTensor")
        return [build(block, f"{place}.{i}") for i, block in enumerate(blocks)]


def _to_channels_last(images: Any) -> Any:
    if isinstance(images, torch.Tensor) and images.dim() == 4:
        return images.contiguous(memory_format=torch.channels_last)
    return images
