"""Random augmentation as a function of (seed, epoch, sample), whoever draws it and in whichever order."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from fusionq.engine.randomness import derive_seed, random_state, restore_random_state, seed_host
from fusionq.engine.state.generators import find_generators, seed_generators


class SeededSamples(Dataset):
    """Wraps a map-style data set; its index is (epoch, index).

    `is_alone` says that samples are drawn in a process of their own, whose random state nobody else uses;
    elsewhere it is put back after each batch. Generators that the data set keeps itself are seeded, too:
    where they stand would depend on who draws the samples, and on where a job was stopped.
    """

    def __init__(self, dataset: Any, seed: int, *, is_alone: bool) -> None:
        self.dataset = dataset
        self.seed = seed
        self.is_alone = is_alone
        self._generators = find_generators(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, positions: list[tuple[int, int]]) -> list[Any]:
        """The samples of a batch: a DataLoader asks for them at once, so the state is put back once."""
        before = None if self.is_alone else random_state()
        try:
            return [self[position] for position in positions]
        finally:
            if before is not None:
                restore_random_state(before)

    def __getitem__(self, position: tuple[int, int]) -> Any:
        epoch, index = position
        seed_host(derive_seed("sample", self.seed, epoch, index))
        if self._generators:
            seed_generators(self._generators, self.seed, epoch, index)
        return self.dataset[index]
