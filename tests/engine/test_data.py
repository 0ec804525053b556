"""Data sample by sample: random draws as a function of seed, epoch and batch."""

from __future__ import annotations

import random
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    Subset,
    default_collate,
)

from fusionq.engine.data.batches import (
    LoaderBatches,
)
from fusionq.engine.data.collate import collate
from fusionq.engine.data.host_state import HostState
from fusionq.engine.data.loading import Transformed
from fusionq.engine.data.part import Part
from fusionq.engine.randomness import random_state, seed_host
from fusionq.errors import DataError
from tests.engine.draws import Draws
from tests.engine.jobs import CPU, same

Pair = namedtuple("Pair", "inputs target")


def draws(epoch: int = 0, start: int = 0, **more: Any) -> dict[int, list[float]]:
    arguments = {"batch_size": 4, "shuffle": True, "seed": 1, **more}
    batches = LoaderBatches(Draws(), arguments.pop("batch_size"), CPU, **arguments)
    return {
        index: drawn
        for indices, values in batches.epoch(epoch, start)
        for index, drawn in zip(indices.tolist(), values.tolist(), strict=True)
    }


def test_draws_are_a_function_of_seed_epoch_and_batch() -> None:
    whole = draws()
    assert len(whole) == 24
    assert len({tuple(drawn) for drawn in whole.values()}) == 24, "no two samples draw the same"
    assert draws(num_workers=2) == whole
    assert draws(num_workers=1, start=3) == draws(start=3)
    rest = draws(start=3)
    assert rest == {index: whole[index] for index in rest}
    assert len(rest) == 12
    for other in (draws(epoch=1), draws(seed=2)):
        assert not any(other[index] == whole[index] for index in whole)


def test_processes_that_share_a_batch_draw_apart() -> None:
    first, second = (draws(part=Part(index, 2)) for index in (0, 1))
    assert len(first.keys() | second.keys()) == 24
    assert len({tuple(drawn) for drawn in (*first.values(), *second.values())}) == 24
    assert draws(part=Part(1, 2), num_workers=1) == second


class WholeBatches(Draws):
    """Has all samples of a batch at once, as a table has."""

    asked = 0

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("asked sample by sample")

    def __getitems__(self, indices: list[int]) -> list[Any]:
        type(self).asked += 1
        return [super(WholeBatches, self).__getitem__(index) for index in indices]


@pytest.mark.parametrize(
    "dataset",
    [
        WholeBatches(8),
        Subset(WholeBatches(9), range(8)),
        Transformed(Subset(WholeBatches(9), range(8)), lambda index: index),
    ],
)
def test_a_data_set_that_gives_whole_batches_is_asked_for_them(dataset: Any) -> None:
    WholeBatches.asked = 0
    batches = LoaderBatches(dataset, 4, CPU, shuffle=True, seed=1)
    first = list(batches.epoch(0))
    assert WholeBatches.asked == 2
    assert sorted(torch.cat([indices for indices, _ in first]).tolist()) == list(range(8))
    assert same(first, list(batches.epoch(0)))


def test_a_part_of_a_data_set_is_asked_for_single_samples() -> None:
    parts = (Subset(Draws(9), range(8)), Transformed(Draws(8), lambda index: index))
    one, other = (list(LoaderBatches(part, 4, CPU, shuffle=False).epoch(0)) for part in parts)
    assert same(one, other)


class Ends(Draws):
    def __getitem__(self, index: int) -> Any:
        raise StopIteration


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_sample_cannot_end_the_data(num_workers: int) -> None:
    batches = LoaderBatches(Ends(), 4, CPU, shuffle=False, num_workers=num_workers)
    with pytest.raises(DataError, match="Ends raised StopIteration for a sample"):
        list(batches.epoch(0))


@pytest.mark.parametrize(
    "samples",
    [
        [(torch.ones(2), 1, 0.5), (torch.zeros(2), 2, 1.5)],
        [{"x": torch.ones(2), "y": 1}, {"x": torch.zeros(2), "y": 2}],
        [torch.ones(2, dtype=torch.uint8), torch.zeros(2, dtype=torch.uint8)],
        [(np.ones(2, np.float32), True, "a"), (np.zeros(2, np.float32), False, "b")],
        [([torch.ones(1), 1], (2, {"k": 3})), ([torch.ones(1), 4], (5, {"k": 6}))],
        [Pair(torch.ones(2), 1), Pair(torch.zeros(2), 2)],
        [np.float64(1.5), np.float64(2.5)],
        [3, 4],
    ],
)
def test_a_batch_is_what_torch_makes_of_the_samples(samples: list[Any]) -> None:
    ours, theirs = collate(samples), default_collate(samples)
    assert type(ours) is type(theirs)
    assert same(ours, theirs)


@pytest.mark.parametrize(
    "samples", [[(1, 2), (1,)], [{"a": 1}, {"b": 1}], [torch.ones(1), torch.ones(2)], [object(), object()]]
)
def test_samples_of_which_no_batch_can_be_made_are_told_in_torchs_words(samples: list[Any]) -> None:
    with pytest.raises((RuntimeError, TypeError, KeyError)) as theirs:
        default_collate(samples)
    with pytest.raises(type(theirs.value)) as ours:
        collate(samples)
    assert str(ours.value) == str(theirs.value)


def test_loading_leaves_the_models_random_numbers_alone() -> None:
    for num_workers in (0, 1):
        for draw in (None, random.random, lambda: random.gauss(0, 1), np.random.randn, torch.rand):
            if draw is not None:
                draw(*([1] if draw is torch.rand else []))
            before = random_state()
            draws(num_workers=num_workers, batch_size=12)
            assert same(before, random_state())
            if num_workers:
                break


def test_the_random_state_is_kept_where_its_memory_cannot_be_read() -> None:
    host = HostState()
    host._python._memory = host._numpy._memory = None
    state, before = host.read(), random_state()
    seed_host(1)
    host.put_back(state)
    assert same(before, random_state())


def test_a_loader_that_is_ours_can_be_gone_through_again_and_again() -> None:
    batches = LoaderBatches(Draws(), 5, CPU, shuffle=True, seed=1)
    assert len(batches) == 5
    first = [batch[0].tolist() for batch in batches.epoch(0)]
    assert [len(indices) for indices in first] == [5, 5, 5, 5, 4]
    assert [batch[0].tolist() for batch in batches.epoch(1)] != first
    assert [batch[0].tolist() for batch in batches.epoch(0)] == first
    assert len(batches) == 5
