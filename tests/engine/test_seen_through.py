"""A script's own DataLoader is seen through, where nobody can tell the difference but by the clock."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision.transforms import transforms as v1
from torchvision.transforms import v2

from fusionq.engine.data.digits import Digits
from fusionq.engine.data.seen_through import see_through

CPU = torch.device("cpu")


def guide_transform() -> Any:
    return v1.Compose([v1.Resize(8), v1.ToTensor(), v1.Normalize((0.5,), (0.5,))])


def digits() -> Digits:
    return Digits(size=8, transform=guide_transform())


LOADERS = {
    "shuffled": lambda: DataLoader(digits(), batch_size=64, shuffle=True),
    "in order": lambda: DataLoader(digits(), batch_size=64),
    "last one dropped": lambda: DataLoader(digits(), batch_size=100, shuffle=True, drop_last=True),
    "its own generator": lambda: DataLoader(
        digits(), batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(5)
    ),
    "two processes": lambda: DataLoader(digits(), batch_size=64, shuffle=True, num_workers=2),
    "part of a data set": lambda: DataLoader(Subset(digits(), range(5, 200)), batch_size=64, shuffle=True),
    "tensors": lambda: DataLoader(TensorDataset(torch.randn(50, 3), torch.arange(50)), shuffle=True),
}


@pytest.mark.parametrize("name", LOADERS)
def test_the_batches_and_the_random_numbers_after_them_are_the_loaders(name: str) -> None:
    torch.manual_seed(1)
    loader = LOADERS[name]()
    torch.manual_seed(2)
    theirs = [list(loader), list(loader)]
    after_theirs = torch.rand(3)

    torch.manual_seed(1)
    batches = see_through(LOADERS[name](), CPU)
    assert batches is not None
    assert len(batches) == len(loader)
    torch.manual_seed(2)
    ours = [list(batches.epoch(epoch)) for epoch in (0, 1)]
    assert torch.equal(torch.rand(3), after_theirs)

    for our_epoch, their_epoch in zip(ours, theirs, strict=True):
        for our_batch, their_batch in zip(our_epoch, their_epoch, strict=True):
            assert type(our_batch) is type(their_batch)
            assert all(torch.equal(a, b) for a, b in zip(our_batch, their_batch, strict=True))


def test_an_epoch_can_be_taken_up_at_any_batch() -> None:
    batches = see_through(LOADERS["shuffled"](), CPU)
    assert batches is not None
    torch.manual_seed(3)
    whole = list(batches.epoch(0))
    torch.manual_seed(3)
    rest = list(batches.epoch(0, 7))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[7:], rest, strict=True))


class Odd(Digits):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(len(self) - 1 - index)


@pytest.mark.parametrize(
    "loader",
    [
        [1, 2, 3],
        DataLoader(Odd(size=8, transform=guide_transform())),
        DataLoader(Digits(size=8, transform=v2.Compose([v2.RandomRotation(5), v2.ToImage()]))),
        DataLoader(Digits(size=8, transform=lambda image: torch.zeros(1))),
        DataLoader(digits(), collate_fn=lambda samples: samples),
        DataLoader(digits(), batch_size=None),
        DataLoader(
            Digits(size=8, transform=v1.Compose([v1.ToTensor(), v1.Normalize((0.5,) * 3, (0.5,) * 3)]))
        ),
    ],
    ids=["a list", "own getitem", "random", "a function", "own collate", "no batches", "wrong normalize"],
)
def test_whatever_we_do_not_know_is_left_to_the_loader(loader: Any) -> None:
    assert see_through(loader, CPU) is None
