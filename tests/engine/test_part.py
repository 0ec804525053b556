"""The parts of a batch that several processes take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from fusionq.engine.data.batches import HookedBatches, LoaderBatches, ResidentBatches
from fusionq.engine.data.part import WHOLE, Part

CPU = torch.device("cpu")


@given(st.integers(0, 40), st.integers(1, 8))
def test_the_parts_of_a_batch_are_the_batch_and_hardly_differ_in_size(size: int, count: int):
    batch = torch.arange(size)
    parts = [Part(index, count) for index in range(count)]
    lengths = [part.length(size) for part in parts]
    assert sum(lengths) == size
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)  # rank 0 has the most
    taken = [part.of(batch) for part, length in zip(parts, lengths, strict=True) if length]
    assert torch.equal(torch.cat([*taken, batch[:0]]), batch)


def test_a_part_without_samples_goes_through_all_of_them():
    assert Part(2, 3).length(2) == 0
    assert Part(2, 3).of([7, 8]) == [7, 8]


def of_tensors(part: Part, shuffle: bool) -> ResidentBatches:
    return ResidentBatches((torch.arange(11), torch.arange(11) * 2), 4, shuffle=shuffle, seed=1, part=part)


def of_loader(part: Part, shuffle: bool) -> LoaderBatches:
    data = TensorDataset(torch.arange(11), torch.arange(11) * 2)
    return LoaderBatches(data, 4, CPU, shuffle=shuffle, seed=1, part=part)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("make", [of_tensors, of_loader])
def test_batches_of_all_parts_are_those_of_one_process_from_any_position(make: Any, shuffle: bool):
    whole = list(make(WHOLE, shuffle).epoch(3, 1))
    parts = [make(Part(index, 2), shuffle) for index in range(2)]
    assert [len(batches) for batches in parts] == [3, 3]
    assert [parts[1].whole_length(number) for number in range(3)] == [4, 4, 3]
    for batch, *theirs in zip(whole, *(batches.epoch(3, 1) for batches in parts), strict=True):
        for number, tensor in enumerate(batch):
            assert torch.equal(tensor, torch.cat([part[number] for part in theirs]))


def test_hooks_leave_the_parts_as_they_are():
    hooked = HookedBatches(of_tensors(Part(1, 2), False), [lambda inputs: inputs + 1])
    assert hooked.whole_length(2) == 3
    assert [batch[0].tolist() for batch in hooked.epoch(0)] == [[3, 4], [7, 8], [11]]
