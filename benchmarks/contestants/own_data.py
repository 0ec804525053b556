"""A data set of the user's own, behind `__getitem__`: fusionq against a bare loop over torch's DataLoader.

Both load alone, and train the same small network, in turn in one process, so that the machine's moods meet
both. A row is the median of the CPU seconds of an epoch (of the wall clock's, where processes load), in µs a
sample.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.contestants import common
from fusionq.engine.data.batches import Batches
from fusionq.engine.data.loading import BatchMaker
from fusionq.engine.standard_model import StandardModel
from fusionq.engine.training import Training
from fusionq.spec.job import DataSection
from fusionq.spec.paths import RunPaths

NUM_SAMPLES = 6_400
ROUNDS = 7
NUM_FEATURES = 32


class Rows(Dataset):
    """A table: ratings, windows of tokens, a series in time."""

    def __init__(self) -> None:
        self.x = torch.randn(NUM_SAMPLES, NUM_FEATURES, generator=torch.Generator().manual_seed(0))
        self.y = (self.x.sum(1) > 0).long()

    def __len__(self) -> int:
        return NUM_SAMPLES

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class RowsAtOnce(Rows):
    def __getitems__(self, indices):
        return list(zip(self.x[indices], self.y[indices], strict=True))


class RowsThatDraw(Rows):
    """Augments by Python's, NumPy's and torch's random numbers."""

    def __getitem__(self, index):
        x = self.x[index] * random.uniform(0.9, 1.1) + float(np.random.normal()) * 0.1
        return x + torch.randn(NUM_FEATURES) * 0.1, self.y[index]


LOADED_ALONE: dict[str, tuple[type[Rows], int, int]] = {
    "loaded alone": (Rows, 64, 0),
    "loaded alone, batches of 256": (Rows, 256, 0),
    "loaded alone, with __getitems__": (RowsAtOnce, 64, 0),
    "loaded alone, with random draws": (RowsThatDraw, 64, 0),
}
TRAINED_ON: dict[str, tuple[type[Rows], int, int]] = {
    "in the process": (Rows, 64, 0),
    "in the process, batches of 256": (Rows, 256, 0),
    "in the process, batches of 8": (Rows, 8, 0),
    "with __getitems__": (RowsAtOnce, 64, 0),
    "with random draws": (RowsThatDraw, 64, 0),
    "2 loader workers": (Rows, 64, 2),
    "with random draws, 2 loader workers": (RowsThatDraw, 64, 2),
}


def parts() -> tuple[nn.Module, torch.optim.Optimizer, nn.Module]:
    net = nn.Sequential(nn.Linear(NUM_FEATURES, 64), nn.ReLU(), nn.Linear(64, 2))
    return net, torch.optim.Adam(net.parameters(), common.LEARNING_RATE), nn.CrossEntropyLoss()


def make_batches(dataset: Dataset, batch_size: int, num_workers: int) -> Batches:
    section = DataSection(batch_size=batch_size, num_workers=num_workers)
    return BatchMaker(section, torch.device("cpu"), seed=0).make(dataset, train=True)


def bare_loading(dataset: Dataset, batch_size: int, num_workers: int) -> Callable[[], object]:
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=num_workers)
    return lambda: deque(loader, maxlen=0)


def fusionq_loading(dataset: Dataset, batch_size: int, num_workers: int) -> Callable[[], object]:
    batches, epochs = make_batches(dataset, batch_size, num_workers), count()
    return lambda: deque(batches.epoch(next(epochs)), maxlen=0)


def bare_loop(dataset: Dataset, batch_size: int, num_workers: int) -> Callable[[], None]:
    net, optimizer, loss_fn = parts()
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=num_workers)

    def epoch() -> None:
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(net(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)

    return epoch


def fusionq(dataset: Dataset, batch_size: int, num_workers: int) -> Callable[[], None]:
    net, optimizer, loss_fn = parts()
    batches = make_batches(dataset, batch_size, num_workers)
    paths = RunPaths(Path(tempfile.gettempdir()))
    trainer = StandardModel(net, use_cuda_if_available=False)
    training = Training(trainer, batches, loss_fn, optimizer, num_epochs=0, paths=paths)

    def epoch() -> None:
        training.num_epochs += 1
        training.run()

    return epoch


Maker = Callable[[Dataset, int, int], Callable[[], object]]
LOADING: Sequence[Maker] = (bare_loading, fusionq_loading)
TRAINING: Sequence[Maker] = (bare_loop, fusionq)


def seconds(act: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    act()
    return clock() - began


def measure(makers: Sequence[Maker], dataset: Dataset, batch_size: int, num_workers: int) -> dict[str, float]:
    clock = time.perf_counter if num_workers else time.process_time
    contestants = [make(dataset, batch_size, num_workers) for make in makers]
    taken = [[seconds(act, clock) for act in contestants] for _ in range(ROUNDS + 1)][1:]
    theirs, ours = (statistics.median(column) / NUM_SAMPLES * 1e6 for column in zip(*taken, strict=True))
    return {"bare loop": theirs, "fusionq": ours, "ratio": statistics.median(o / t for t, o in taken)}


def main() -> None:
    common.arguments()
    alone = {n: measure(LOADING, make(), *sizes) for n, (make, *sizes) in LOADED_ALONE.items()}
    trained = {n: measure(TRAINING, make(), *sizes) for n, (make, *sizes) in TRAINED_ON.items()}
    print("RESULT " + json.dumps(alone | trained))


if __name__ == "__main__":
    main()
