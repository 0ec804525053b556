"""Random augmentation: on the device for what is held there, through a DataLoader elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms import v2

from fusionq.engine.data.batches import Batches, LoaderBatches, ResidentBatches
from fusionq.engine.data.digits import Digits
from fusionq.engine.data.order import epoch_order
from fusionq.spec.job import DataSection
from tests.engine.batches import make_batches

CPU = torch.device("cpu")
TO_TENSOR = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]


def usual() -> list:
    return [v2.RandomCrop(8, padding=2), v2.RandomHorizontalFlip()]


def digits_in_batches(augment: list, batch_size: int = 100, num_workers: int = 0) -> Batches:
    section = DataSection(batch_size=batch_size, num_workers=num_workers)
    return make_batches(Digits(size=8), TO_TENSOR, section, CPU, shuffle=True, seed=3, augment=augment)


def plain_images() -> Tensor:
    batches = make_batches(Digits(size=8), TO_TENSOR, DataSection(), CPU, shuffle=False, seed=3)
    return torch.cat([batch[0] for batch in batches.epoch(0)])


def first_samples(batches: Batches, epoch: int, number: int = 50) -> dict[int, Tensor]:
    """What the first samples of the data set look like in an epoch, by their place in it."""
    images = torch.cat([batch[0] for batch in batches.epoch(epoch)])
    order = epoch_order(len(images), 3, epoch)
    return {int(index): image for index, image in zip(order, images, strict=True) if index < number}


def test_usual_augmentation_stays_on_the_device() -> None:
    assert isinstance(digits_in_batches(usual()), ResidentBatches)


def test_other_augmentation_goes_through_a_data_loader() -> None:
    assert isinstance(digits_in_batches([v2.RandomRotation(10)]), LoaderBatches)
    assert isinstance(digits_in_batches([v2.RandomCrop(8, padding=2, fill=7)]), LoaderBatches)


def test_every_picture_is_a_crop_of_its_padded_self_maybe_mirrored() -> None:
    raw = plain_images()
    for index, image in first_samples(digits_in_batches(usual()), 0).items():
        padded = pad(raw[index], [2] * 4)
        crops = [padded[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
        assert any(torch.equal(image, crop) or torch.equal(image, crop.flip(2)) for crop in crops)


def test_a_sample_meets_another_draw_in_every_epoch_and_the_same_one_again() -> None:
    batches = digits_in_batches(usual())
    first, second, again = (first_samples(batches, epoch) for epoch in (0, 1, 0))
    assert all(torch.equal(first[i], again[i]) for i in first)
    assert sum(torch.equal(first[i], second[i]) for i in first) < len(first) / 4


def test_draws_depend_neither_on_the_batch_size_nor_on_where_an_epoch_is_taken_up() -> None:
    small, large = (digits_in_batches(usual(), batch_size=size) for size in (7, 100))
    one, other = first_samples(small, 2), first_samples(large, 2)
    assert all(torch.equal(one[i], other[i]) for i in one)
    whole = [batch[0] for batch in large.epoch(2)]
    rest = [batch[0] for batch in large.epoch(2, 5)]
    assert all(torch.equal(a, b) for a, b in zip(whole[5:], rest, strict=True))


def test_flips_come_as_often_as_they_are_asked_for() -> None:
    raw = plain_images()
    for p in (0.0, 1.0):
        images = first_samples(digits_in_batches([v2.RandomVerticalFlip(p)]), 0)
        asymmetric = {i: x for i, x in images.items() if not torch.equal(raw[i], raw[i].flip(1))}
        flipped = sum(torch.equal(image, raw[i].flip(1)) for i, image in asymmetric.items())
        assert flipped == p * len(asymmetric)


def test_test_data_is_not_augmented() -> None:
    batches = make_batches(
        Digits(size=8), TO_TENSOR, DataSection(), CPU, shuffle=False, seed=3, augment=usual()
    )
    images = torch.cat([batch[0] for batch in batches.epoch(0)])
    assert torch.equal(images, plain_images())
