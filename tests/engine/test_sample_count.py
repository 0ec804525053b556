"""How many samples a batch holds, whatever a loader makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fusionq.engine.data.sample_count import batch_length
from fusionq.errors import DataError

IMAGES = tuple(torch.ones(3, 16 + i, 16) for i in range(8))
BOXES = tuple({"boxes": torch.ones(2, 4), "labels": torch.ones(2)} for _ in range(8))


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        (torch.ones(5, 2), 5),
        ((torch.ones(9, 3), torch.ones(9)), 9),
        ({"inputs": torch.ones(3)}, 3),
        (([torch.ones(4, 2), torch.ones(4, 7)], torch.ones(4)), 4),  # two inputs for each sample
        ((IMAGES, BOXES), 8),  # as torchvision's detection makes them
        ([list(IMAGES), list(BOXES)], 8),
        ((7, torch.ones(4, 2)), 4),  # a number first, which is of no sample
        (("name", {"x": torch.ones(6, 2), "text": ["a"] * 6}), 6),
        ({"scale": torch.tensor(1.0), "x": torch.ones(6, 2)}, 6),
    ],
)
def test_all_parts_of_a_batch_agree_on_its_samples(batch: Any, number: int) -> None:
    assert batch_length(batch) == number
    assert batch_length(batch, number) == number


def test_the_number_that_was_loaded_decides_where_a_batch_can_be_read_in_two_ways() -> None:
    samples = [(torch.ones(4), 0), (torch.ones(4), 1), (torch.ones(4), 0)]
    assert batch_length(samples, 3) == 3
    assert batch_length(object(), 3) == 3


def test_a_collate_function_that_drops_samples_is_believed() -> None:
    assert batch_length((torch.ones(7, 2), torch.ones(7)), 8) == 7


@pytest.mark.parametrize("batch", ["text", object(), torch.tensor(1.0)])
def test_a_batch_that_shows_nothing_is_not_guessed(batch: Any) -> None:
    with pytest.raises(DataError, match="how many samples a batch holds cannot be told from this"):
        batch_length(batch)
