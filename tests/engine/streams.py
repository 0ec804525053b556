"""Data sets that can only be iterated, as users write them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

import fusionq as tf

Sample = tuple[Tensor, int]

# Read here and not in each loader process, which would import scikit-learn first.
DIGITS = tf.Digits(size=8)


class Numbers(IterableDataset):
    """The numbers from 0, each with a random one; loader processes share them."""

    def __init__(self, size: int = 23) -> None:
        self.size = size
        self.epochs: list[int] = []

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return ((i, random.random()) for i in range(first, self.size, step))


class Shuffled(IterableDataset):
    """Noisy digits in another order each time, which a count of its own decides."""

    def __init__(self, size: int = 300) -> None:
        self.size = size
        self.num_begun = 0

    def __iter__(self) -> Iterator[Sample]:
        self.num_begun += 1
        generator = torch.Generator().manual_seed(self.num_begun)
        worker = get_worker_info()
        order = torch.randperm(self.size, generator=generator).tolist()
        for i in order[worker.id :: worker.num_workers] if worker else order:
            yield DIGITS.data[i, None] / 255 + torch.rand(1, 8, 8) / 4, int(DIGITS.targets[i])


class Placed(Shuffled):
    """Keeps its place itself, and counts what it draws."""

    num_drawn = 0

    def __init__(self, size: int = 300) -> None:
        super().__init__(size)
        self.place = 0

    def __iter__(self) -> Iterator[Sample]:
        while self.place < self.size:
            self.place += 1
            Placed.num_drawn += 1
            image = DIGITS.data[self.place - 1, None] / 255
            yield image + torch.rand(1, 8, 8) / 4, int(DIGITS.targets[self.place - 1])
        self.place = 0

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


class Tests(Shuffled):
    """A plain iterable, of fewer digits."""

    def __init__(self) -> None:
        super().__init__(50)
