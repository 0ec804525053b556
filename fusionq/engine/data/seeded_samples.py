"""Random draws as a function of (seed, epoch, place in the epoch), whichever process draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset, Subset

from fusionq.engine.data.host_state import HostState
from fusionq.engine.randomness import derive_seed, seed_host
from fusionq.engine.state.generators import find_generators, seed_generators
from fusionq.errors import DataError


class Asked(NamedTuple):
    """The samples of a batch, or our part of them. `place` is that of the first in the order of the epoch."""

    epoch: int
    place: int
    indices: list[int]


class SeededSamples(Dataset):
    """Wraps a map-style data set and gives the samples of a batch, drawn by a seed of their own.

    `is_alone` says that samples are drawn in a process of their own, whose random state nobody else uses;
    elsewhere it is put back after each batch. Generators that the data set keeps itself are seeded, too:
    where they stand would depend on who draws the samples, and on where a job was stopped.
    """

    def __init__(self, dataset: Any, seed: int, *, is_alone: bool) -> None:
        self.dataset = dataset
        self.seed = seed
        self._gives_batches = gives_batches(dataset)
        self._generators = find_generators(dataset)
        self._host = None if is_alone else HostState()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, asked: Asked) -> Sequence[Any]:
        """Returns the samples; a DataLoader asks for those of a batch at once. Raises DataError."""
        if self._host is None:
            return self._draw(asked)
        state = self._host.read()
        try:
            return self._draw(asked)
        finally:
            self._host.put_back(state)

    def _draw(self, asked: Asked) -> Sequence[Any]:
        seed_host(derive_seed("samples", self.seed, asked.epoch, asked.place))
        if self._generators:
            seed_generators(self._generators, self.seed, asked.epoch, asked.place)
        dataset = self.dataset
        try:
            if self._gives_batches:
                return dataset.__getitems__(asked.indices)
            return [dataset[index] for index in asked.indices]
        except (
            StopIteration
        ) as error:  # to whoever goes through the batches it would mean that there are no more
            raise DataError(f"{type(dataset).__name__} raised StopIteration for a sample") from error


def gives_batches(dataset: Any) -> bool:
    """Returns whether a data set has a `__getitems__` of its own, beyond asking for sample after sample."""
    if hasattr(dataset, "gives_batches"):
        return dataset.gives_batches
    if isinstance(dataset, Subset) and type(dataset).__getitems__ is Subset.__getitems__:
        is_plain = type(dataset).__getitem__ is Subset.__getitem__
        return is_plain and gives_batches(dataset.dataset)
    return callable(getattr(dataset, "__getitems__", None))
