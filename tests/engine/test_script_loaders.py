"""Loaders that a script hands over, and batches on their way to the trainer."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest
import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
)

from fusionq.engine.data.batches import (
    HookedBatches,
    ResidentBatches,
    as_batches,
    to_device,
)
from fusionq.errors import DataError


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter([torch.zeros(1)])


Pair = namedtuple("Pair", "inputs target")


def test_a_scripts_loader_is_used_as_it_is_and_can_be_skipped_into() -> None:
    batches = as_batches([torch.tensor([1]), torch.tensor([2]), torch.tensor([3])])
    assert len(batches) == 3
    assert [batch.item() for batch in batches.epoch(7, 1)] == [2, 3]
    ours = ResidentBatches((torch.arange(3),), 1, shuffle=False)
    assert as_batches(ours) is ours


def test_a_loader_that_counts_its_epochs_is_a_loader() -> None:
    class Counting(DataLoader):
        epoch = 0

    batches = as_batches(Counting([1, 2, 3]))
    assert [batch.tolist() for batch in batches.epoch(0, 1)] == [[2], [3]]


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ((batch for batch in ()), "generator"),
        (None, "NoneType"),
        (DataLoader(Stream()), "DataLoader"),
    ],
)
def test_a_loader_that_has_no_length_is_refused(loader: Any, name: str) -> None:
    with pytest.raises(DataError, match=f"must have a length and be iterable again and again; {name} is not"):
        as_batches(loader)


def test_input_hooks_touch_only_the_inputs() -> None:
    pairs = HookedBatches(as_batches([(torch.ones(2), torch.ones(2))]), [lambda inputs: inputs * 3])
    assert [[part.sum().item() for part in batch] for batch in pairs.epoch(0)] == [[6.0, 2.0]]
    alone = HookedBatches(as_batches([torch.ones(2)]), [lambda inputs: inputs * 3])
    assert [batch.sum().item() for batch in alone.epoch(0)] == [6.0]


def test_a_batch_keeps_its_form_on_its_way_to_the_device() -> None:
    pair = namedtuple("pair", "a b")
    meta = torch.device("meta")
    moved = to_device({"x": [torch.ones(1), "text"], "y": pair(torch.ones(2), (torch.ones(3),))}, meta)
    assert moved["x"][0].device == meta
    assert moved["x"][1] == "text"
    assert type(moved["y"]) is pair
    assert moved["y"].b[0].device == meta
