"""Which samples make up which batch of an epoch: a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from fusionq.engine.data.host_state import HostState
from fusionq.engine.randomness import derive_seed, seed_host
from fusionq.engine.state.generators import find_generators, seed_generators
from fusionq.errors import DataError


def epoch_order(num_samples: int, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch: int64 of shape (num_samples,), on the CPU."""
    generator = torch.Generator().manual_seed(derive_seed("order", seed, epoch))
    return torch.randperm(num_samples, generator=generator)


class Order(Protocol):
    """The samples of an epoch, one after another."""

    def __len__(self) -> int:
        """How many an epoch has."""
        ...

    def of(self, epoch: int) -> Tensor:
        """Their indices: int64 on the CPU."""
        ...


@dataclass(frozen=True)
class InOrder:
    """All samples as they lie."""

    num_samples: int

    def __len__(self) -> int:
        return self.num_samples

    def of(self, epoch: int) -> Tensor:
        return torch.arange(self.num_samples)


@dataclass(frozen=True)
class Shuffled:
    """All samples, in another order in every epoch."""

    num_samples: int
    seed: int

    def __len__(self) -> int:
        return self.num_samples

    def of(self, epoch: int) -> Tensor:
        return epoch_order(self.num_samples, self.seed, epoch)


class Sampled:
    """What a sampler gives: any samples, any number of times.

    Before each epoch it is told the epoch, where it has `set_epoch`, and the generators of the host and those
    that it keeps itself are seeded. Raises DataError where it is no sampler of single samples.
    """

    def __init__(self, sampler: Any, num_samples: int, seed: int) -> None:
        self._sampler = sampler
        self._num_samples = num_samples  # of the data set
        self._seed = seed
        self._host = HostState()
        name = type(sampler).__name__
        if isinstance(sampler, DistributedSampler):
            raise DataError(
                f"data.sampler: {name} gives each process its share, which is done for you; leave it out"
            )
        if not hasattr(sampler, "__iter__"):
            raise DataError(f"data.sampler: {name} is no sampler: it cannot be iterated")
        try:
            self._length = len(sampler)
        except (TypeError, NotImplementedError):
            raise DataError(
                f"data.sampler: {name} has no length; define __len__, the number of samples in an epoch"
            ) from None

        if self._length == 0:
            raise DataError(f"data.sampler: {name} gives no sample")

    def __len__(self) -> int:
        return self._length

    def of(self, epoch: int) -> Tensor:
        state = self._host.read()
        try:
            drawn = self._draw(epoch)
        finally:
            self._host.put_back(state)
        return self._checked(drawn)

    def _draw(self, epoch: int) -> list[Any]:
        seed_host(derive_seed("sampler", self._seed, epoch))
        # Looked for anew, since a sampler may make one when it is begun.
        seed_generators(find_generators(self._sampler), "sampler", self._seed, epoch)
        if hasattr(self._sampler, "set_epoch"):
            self._sampler.set_epoch(epoch)
        return list(islice(iter(self._sampler), self._length))

    def _checked(self, drawn: list[Any]) -> Tensor:
        name = type(self._sampler).__name__
        if len(drawn) != self._length:
            raise DataError(
                f"data.sampler: {name} gave {len(drawn)} samples, and its length is {self._length}"
            )
        try:
            order = torch.tensor([int(index) for index in drawn], dtype=torch.int64)
        except (TypeError, ValueError):
            raise DataError(
                f"data.sampler: {name} must give the index of one sample after another, and gave "
                f"{str(drawn[0])[:60]}; data.batch_size makes batches of them"
            ) from None
        if len(order) and not 0 <= int(order.min()) <= int(order.max()) < self._num_samples:
            wrong = int(order.min()) if int(order.min()) < 0 else int(order.max())
            raise DataError(
                f"data.sampler: {name} gave the index {wrong}, "
                f"and the data set has {self._num_samples} samples"
            )
        return order


def order_of(num_samples: int, shuffle: bool, seed: int, sampler: Any = None) -> Order:
    """The order of a data set: the sampler's, where there is one. Raises DataError."""
    if sampler is not None:
        return Sampled(sampler, num_samples, seed)
    return Shuffled(num_samples, seed) if shuffle else InOrder(num_samples)


@dataclass(frozen=True)
class Cut:
    """How an order is cut into batches."""

    num_samples: int
    batch_size: int
    drop_last: bool = False  # leave out a last batch that is not full

    def __len__(self) -> int:
        whole, rest = divmod(self.num_samples, self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def length(self, batch: int) -> int:
        """How many samples batch number `batch` holds."""
        return min(self.batch_size, self.num_samples - batch * self.batch_size)

    def batches(self, order: Tensor, start: int = 0) -> Iterator[Tensor]:
        """The indices of each batch from `start` on."""
        first = start * self.batch_size
        return islice(order[first:].split(self.batch_size), max(0, len(self) - start))
