"""Which samples an epoch has, and in which order."""

from __future__ import annotations

import random
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    Sampler,
    TensorDataset,
    WeightedRandomSampler,
)

from fusionq.engine.data.batches import (
    LoaderBatches,
    ResidentBatches,
)
from fusionq.engine.data.part import Part
from fusionq.engine.randomness import random_state
from fusionq.errors import DataError
from fusionq.spec.job import DataSection
from tests.engine.batches import make_batches
from tests.engine.draws import Draws
from tests.engine.jobs import CPU, same


class EverySecond(Sampler):
    """Chooses every second sample, in an order that Python's, NumPy's and torch's numbers decide together."""

    def __init__(self, data_source: Any, first: int = 0) -> None:
        self.chosen = list(range(first, len(data_source), 2))
        self.epochs: list[int] = []

    def __len__(self) -> int:
        return len(self.chosen)

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def __iter__(self) -> Any:
        draws = (random.random, np.random.rand, lambda: torch.rand(()).item())
        return iter(sorted(self.chosen, key=lambda _: draws[_ % 3]()))


def indices_of(sampler: Any, epoch: int = 0, start: int = 0, **more: Any) -> list[list[int]]:
    arguments = {"shuffle": True, "seed": 1, "sampler": sampler, **more}
    batches = LoaderBatches(Draws(20), 4, CPU, **arguments)
    resident = ResidentBatches((torch.arange(20),), 4, **arguments)
    found = [indices.tolist() for indices, _ in batches.epoch(epoch, start)]
    assert found == [indices.tolist() for (indices,) in resident.epoch(epoch, start)]
    assert len(batches) == len(resident) == len(found) + start
    return found


def test_a_sampler_chooses_the_samples_by_seed_and_epoch() -> None:
    before = random_state()
    sampler = EverySecond(Draws(20))
    whole = indices_of(sampler)
    assert sorted(chain(*whole)) == list(range(0, 20, 2))
    assert [len(batch) for batch in whole] == [4, 4, 2]
    assert indices_of(EverySecond(Draws(20)), start=1) == whole[1:]
    assert indices_of(sampler, epoch=1) != whole
    assert indices_of(sampler, seed=2) != whole
    assert sampler.epochs == [0, 0, 1, 1, 0, 0]
    assert same(before, random_state())


def test_a_sampler_with_a_generator_of_its_own_is_seeded_for_each_epoch() -> None:
    sampler = WeightedRandomSampler([1.0] * 20, 30, generator=torch.Generator())
    first = indices_of(sampler)
    assert [len(batch) for batch in first] == [4] * 7 + [2]
    assert indices_of(sampler, epoch=1) != first
    assert indices_of(sampler) == first


class Pool:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)


class Drawing(Sampler):
    """Draws from generators that it keeps somewhere."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.others = [random.Random(6)]

    def __len__(self) -> int:
        return 10

    def __iter__(self) -> Any:
        return (int(self.pool.rng.integers(10)) + self.others[0].randrange(11) for _ in range(10))


def test_the_generators_that_a_sampler_keeps_are_seeded_for_each_epoch() -> None:
    sampler = Drawing()
    first = indices_of(sampler)
    assert indices_of(sampler, epoch=1) != first
    assert indices_of(sampler) == first == indices_of(Drawing())


def test_processes_share_the_order_of_a_sampler() -> None:
    parts = [indices_of(EverySecond(Draws(20)), part=Part(index, 2)) for index in (0, 1)]
    joined = [one + other for one, other in zip(*parts, strict=True)]
    assert joined == indices_of(EverySecond(Draws(20)))


def test_a_last_batch_that_is_not_full_can_be_left_out() -> None:
    assert [len(batch) for batch in indices_of(EverySecond(Draws(20)), drop_last=True)] == [4, 4]
    assert indices_of(None, shuffle=False, drop_last=True) == [list(range(i, i + 4)) for i in range(0, 20, 4)]


class WithoutLength:
    def __iter__(self) -> Any:
        return iter([0])


class TooLong(EverySecond):
    def __len__(self) -> int:
        return 11


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (WithoutLength(), "WithoutLength has no length; define __len__"),
        (3, "int is no sampler: it cannot be iterated"),
        ([], "list gives no sample"),
        (TooLong(Draws(20)), "TooLong gave 10 samples, and its length is 11"),
        ([0, 20], "list gave the index 20, and the data set has 20 samples"),
        ([-1, 0], "list gave the index -1, and the data set has 20 samples"),
        (
            BatchSampler(range(20), 4, False),
            r"BatchSampler must give the index .* \[0, 1, 2, 3\]",
        ),
        (DistributedSampler(range(20), 2, 0), "DistributedSampler gives each process its share"),
    ],
)
def test_a_sampler_that_cannot_be_one_is_refused(sampler: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"data.sampler: {words}"):
        indices_of(sampler)


def order_of_job(dataset: Any, **section: Any) -> list[list[int]]:
    batches = make_batches(dataset, [], DataSection(batch_size=4, **section), CPU, shuffle=True, seed=1)
    return [batch[0].tolist() for batch in batches.epoch(0)]


@pytest.mark.parametrize("dataset", [Draws(10), TensorDataset(torch.arange(10))])
def test_a_job_says_which_samples_it_trains_on(dataset: Any) -> None:
    in_order = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert order_of_job(dataset, shuffle=False) == in_order
    assert order_of_job(dataset, shuffle=False, drop_last=True) == in_order[:2]
    assert order_of_job(dataset, sampler={"_target_": "torch.utils.data.SequentialSampler"}) == in_order
    own = order_of_job(dataset, sampler={"_target_": f"{__name__}.EverySecond", "first": 1})
    assert sorted(chain(*own)) == [1, 3, 5, 7, 9]


def test_testing_goes_through_all_samples_in_order() -> None:
    section = DataSection(batch_size=4, drop_last=True, sampler={"_target_": f"{__name__}.EverySecond"})
    batches = make_batches(Draws(10), [], section, CPU, shuffle=False, seed=1)
    assert torch.cat([indices for indices, _ in batches.epoch(0)]).tolist() == list(range(10))


def test_a_drop_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"leaves no batch to train on: 3 samples, and data.batch_size is 4"):
        order_of_job(Draws(3), drop_last=True)
