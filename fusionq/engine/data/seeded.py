"""Random augmentation as a function of (seed, epoch, sample), whoever draws it and in whichever order."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from fusionq.engine.randomness import derive_seed, random_state, restore_random_state, seed_everything


class SeededSamples(Dataset):
    """Wraps a map-style data set; its index is (epoch, index).

    `is_alone` says that samples are drawn in a process of their own, whose random state nobody else uses;
    elsewhere it is put back after each sample.
    """

    def __init__(self, dataset: Any, seed: int, *, is_alone: bool) -> None:
        self.dataset = dataset
        self.seed = seed
        self.is_alone = is_alone

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: tuple[int, int]) -> Any:
        epoch, index = position
        before = None if self.is_alone else random_state()
        seed_everything(derive_seed("sample", self.seed, epoch, index))
        try:
            return self.dataset[index]
        finally:
            if before is not None:
                restore_random_state(before)
