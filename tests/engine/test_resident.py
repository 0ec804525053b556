"""Resident data gives the batches of a DataLoader to the last bit; what it cannot, it leaves to one."""

from __future__ import annotations

import warnings
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.datasets import CIFAR10, MNIST
from torchvision.transforms import v2

import fusionq as tf
from fusionq.engine.data import resident
from fusionq.engine.data.batches import LoaderBatches, ResidentBatches
from fusionq.engine.data.order import epoch_order
from fusionq.engine.data.resident import resident_batches
from fusionq.spec.job import DataSection
from tests.engine.batches import make_batches
from tests.engine.jobs import CPU, digits, needs_gpu
from tests.engine.noisy import NoisyDigits

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # v2 wants it spelled as two transforms
    TO_TENSOR = v2.ToTensor()


def to_tensor() -> list[Any]:
    return [TO_TENSOR]


def cifar(num_samples: int = 50) -> CIFAR10:
    """CIFAR-10 in its own storage, without its files: uint8 of shape (N, 32, 32, 3)."""
    dataset = CIFAR10.__new__(CIFAR10)
    numbers = np.random.default_rng(0)
    dataset.data = numbers.integers(0, 256, (num_samples, 32, 32, 3), dtype=np.uint8)
    dataset.targets = numbers.integers(0, 10, num_samples).tolist()
    dataset.transform = dataset.target_transform = dataset.transforms = None
    return dataset


def mnist(num_samples: int = 50) -> MNIST:
    """MNIST in its own storage, without its files: uint8 of shape (N, 28, 28)."""
    dataset = MNIST.__new__(MNIST)
    generator = torch.Generator().manual_seed(0)
    dataset.data = torch.randint(0, 256, (num_samples, 28, 28), generator=generator, dtype=torch.uint8)
    dataset.targets = torch.randint(0, 10, (num_samples,), generator=generator)
    dataset.transform = dataset.target_transform = dataset.transforms = None
    return dataset


def with_transforms(dataset: Any, transforms: list[Any]) -> Any:
    dataset.transform = v2.Compose(transforms) if transforms else None
    return dataset


def small_digits() -> tf.Digits:
    return tf.Digits(size=8)


NORMAL = v2.Normalize([0.1307], [0.3081])
STEPS = {
    "ToTensor": to_tensor,
    "ToTensor and Normalize": lambda: [TO_TENSOR, NORMAL],
    "the two steps of v2": lambda: [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), NORMAL],
    "a Compose": lambda: [v2.Compose([TO_TENSOR, v2.Compose([NORMAL])])],
    "without scaling": lambda: [v2.PILToTensor(), v2.ToDtype(torch.float32)],
    "double precision": lambda: [v2.PILToTensor(), v2.ConvertImageDtype(torch.float64)],
    "bytes": lambda: [v2.PILToTensor()],
    "a tensor of a tensor": lambda: [v2.ToImage(), TO_TENSOR, v2.ToDtype(torch.float32, scale=True)],
    "twice ToTensor": lambda: [TO_TENSOR, TO_TENSOR],
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("make", [small_digits, mnist, cifar])
def test_deterministic_transforms_give_the_batches_of_a_loader(name: str, make: Any) -> None:
    ours = resident_batches(make(), STEPS[name](), 16, CPU, shuffle=True, seed=3)
    theirs = LoaderBatches(with_transforms(make(), STEPS[name]()), 16, CPU, shuffle=True, seed=3)
    assert isinstance(ours, ResidentBatches)
    assert_equal_batches(ours, theirs, 2)


def assert_equal_batches(ours: Any, theirs: Any, epoch: int) -> None:
    assert len(ours) == len(theirs)
    pairs = list(zip(ours.epoch(epoch), theirs.epoch(epoch), strict=True))
    assert len(pairs) == len(ours)
    for batch, other in pairs:
        for one, another in zip(batch, other, strict=True):
            assert one.dtype == another.dtype
            assert torch.equal(one, torch.Tensor(another) if type(another) is not torch.Tensor else another)


def test_a_resize_to_the_size_that_it_has_is_free() -> None:
    batches = resident_batches(
        mnist(), [v2.Resize(28), v2.Resize([28, 28]), TO_TENSOR], 16, CPU, shuffle=False
    )
    theirs = LoaderBatches(with_transforms(mnist(), [v2.Resize(28), TO_TENSOR]), 16, CPU, shuffle=False)
    assert_equal_batches(batches, theirs, 0)


def test_a_subset_is_resident_with_its_own_samples() -> None:
    chosen = [5, 3, 40, 3]
    ours = resident_batches(Subset(Subset(mnist(), range(1, 50)), chosen), to_tensor(), 3, CPU, shuffle=False)
    (images, targets), (last, _) = ours.epoch(0)
    whole = mnist()
    assert torch.equal(targets, whole.targets[[6, 4, 41]])
    assert torch.equal(last, whole.data[[4], None] / 255)
    assert images.shape == (3, 1, 28, 28)


def test_tensors_are_resident_as_they_are() -> None:
    ours = resident_batches(digits(), [], 100, CPU, shuffle=True, seed=9)
    assert_equal_batches(ours, LoaderBatches(digits(), 100, CPU, shuffle=True, seed=9), 4)


def test_one_epoch_holds_every_sample_once_in_an_order_of_its_own() -> None:
    batches = ResidentBatches((torch.arange(100),), 16, shuffle=True, seed=5)
    orders = [torch.cat([batch[0] for batch in batches.epoch(epoch)]).tolist() for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(100))
    other = ResidentBatches((torch.arange(100),), 16, shuffle=True, seed=6)
    assert orders[0] != torch.cat([batch[0] for batch in other.epoch(0)]).tolist()


def test_the_order_draws_nothing_from_the_models_random_numbers() -> None:
    before = torch.get_rng_state()
    epoch_order(100, 1, 2)
    list(ResidentBatches((torch.arange(100),), 16, shuffle=True).epoch(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", ["resident", "transformed per batch", "loader"])
def test_starting_at_a_batch_is_the_same_as_skipping(shuffle: bool, kind: str) -> None:
    tensors = (torch.arange(50), torch.arange(50) + 100)
    if kind == "loader":
        batches: Any = LoaderBatches(TensorDataset(*tensors), 8, CPU, shuffle=shuffle, seed=1)
    else:
        transform = (lambda numbers: numbers * 2) if kind != "resident" else None
        batches = ResidentBatches(tensors, 8, shuffle=shuffle, seed=1, transform=transform)
    assert len(batches) == 7
    for start in range(9):
        skipped = list(islice(batches.epoch(3, 0), start, None))
        begun = list(batches.epoch(3, start))
        assert len(begun) == len(skipped) == max(0, 7 - start)
        for one, other in zip(begun, skipped, strict=True):
            assert all(map(torch.equal, one, other))


# --- what is left to a DataLoader --------------------------------------------------------------------------


class Inverted(MNIST):
    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(255 - self.data[index].numpy())
        return self.transform(image) if self.transform else image, int(self.targets[index])


class Lines(Dataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((2,), index), index


def inverted() -> MNIST:
    dataset = mnist()
    dataset.__class__ = Inverted
    return dataset


def with_target_transform() -> MNIST:
    dataset = mnist()
    dataset.target_transform = lambda target: target + 1
    return dataset


def with_own_transform() -> MNIST:
    return with_transforms(mnist(), [TO_TENSOR])


@pytest.mark.parametrize(
    ("make", "transforms"),
    [
        (inverted, to_tensor()),
        (with_target_transform, to_tensor()),
        (Lines, []),
        (NoisyDigits, to_tensor()),
        (mnist, [TO_TENSOR, v2.RandomAffine(10)]),
        (mnist, [v2.Resize(20), TO_TENSOR]),
        (mnist, [v2.Resize((28, 20)), TO_TENSOR]),
        (mnist, [TO_TENSOR, v2.Lambda(lambda image: image + 1)]),
        (mnist, [v2.Compose([TO_TENSOR, v2.RandomHorizontalFlip()])]),
        (mnist, [v2.ToDtype(torch.float32, scale=True), TO_TENSOR]),  # does nothing to a picture
        (digits, to_tensor()),
    ],
)
def test_what_is_not_known_goes_through_a_loader(make: Any, transforms: list[Any]) -> None:
    assert resident_batches(make(), transforms, 16, CPU, shuffle=False) is None


def test_a_data_sets_own_transforms_are_used() -> None:
    batches = make_batches(with_own_transform(), [], DataSection(), CPU, shuffle=False, seed=0)
    assert next(batches.epoch(0))[0].dtype == torch.float32


def test_a_subclass_is_read_through_its_own_getitem() -> None:
    batches = make_batches(inverted(), [v2.PILToTensor()], DataSection(), CPU, shuffle=False, seed=0)
    images = torch.cat([batch[0] for batch in batches.epoch(0)])
    assert torch.equal(images, 255 - mnist().data[:, None])


def test_targets_are_transformed() -> None:
    batches = make_batches(with_target_transform(), to_tensor(), DataSection(), CPU, shuffle=False, seed=0)
    assert torch.equal(torch.cat([batch[1] for batch in batches.epoch(0)]), mnist().targets + 1)


def test_transforms_of_the_job_come_after_the_data_sets_own() -> None:
    batches = make_batches(
        with_own_transform(), [v2.Normalize([0.5], [0.5])], DataSection(), CPU, shuffle=False, seed=0
    )
    images = torch.cat([batch[0] for batch in batches.epoch(0)])
    assert torch.equal(images, (mnist().data[:, None] / 255 - 0.5) / 0.5)


def test_a_part_of_a_data_set_keeps_the_transforms_of_the_whole() -> None:
    part = Subset(with_own_transform(), [3, 1])
    for transforms in ([], [v2.RandomErasing(p=0.0)]):  # held on the device, and through a DataLoader
        ((images, _),) = make_batches(part, transforms, DataSection(), CPU, shuffle=False, seed=0).epoch(0)
        assert torch.equal(images, mnist().data[[3, 1], None] / 255)


def test_both_parts_of_one_data_set_share_their_transforms() -> None:
    whole, transforms = small_digits(), [TO_TENSOR, v2.RandomErasing(p=0.0)]
    for indices in ([1, 2], [3]):
        batches = make_batches(Subset(whole, indices), transforms, DataSection(), CPU, shuffle=False, seed=0)
        ((images, _),) = batches.epoch(0)
        assert torch.equal(images, whole.data[indices, None] / 255)


# --- memory ------------------------------------------------------------------------------------------------


def test_data_that_fits_only_as_bytes_is_transformed_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    held = mnist()
    bytes_held = held.data.numel() + held.targets.numel() * 8
    monkeypatch.setattr(
        resident, "_free_memory", lambda device: int((bytes_held + 10) / resident.SHARE_OF_FREE_MEMORY)
    )
    batches = resident_batches(held, [TO_TENSOR, NORMAL], 16, CPU, shuffle=True, seed=3)
    assert batches.transform is not None
    assert batches.tensors[0].dtype == torch.uint8
    theirs = LoaderBatches(with_transforms(mnist(), [TO_TENSOR, NORMAL]), 16, CPU, shuffle=True, seed=3)
    assert_equal_batches(batches, theirs, 1)


def test_data_that_does_not_fit_goes_through_a_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_free_memory", lambda device: 1000)
    assert resident_batches(mnist(), to_tensor(), 16, CPU, shuffle=False) is None
    batches = make_batches(mnist(), to_tensor(), DataSection(batch_size=16), CPU, shuffle=False, seed=0)
    assert isinstance(batches, LoaderBatches)


def test_transforming_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "CHUNK", 7)
    ours = resident_batches(mnist(), [TO_TENSOR, NORMAL], 16, CPU, shuffle=False)
    theirs = LoaderBatches(with_transforms(mnist(), [TO_TENSOR, NORMAL]), 16, CPU, shuffle=False)
    assert_equal_batches(ours, theirs, 0)


class TestOnAGpu:
    pytestmark = needs_gpu

    def test_batches_lie_on_the_device_and_are_equal(self) -> None:
        gpu = torch.device("cuda")
        ours = resident_batches(mnist(), [TO_TENSOR, NORMAL], 16, gpu, shuffle=True, seed=3)
        theirs = resident_batches(mnist(), [TO_TENSOR, NORMAL], 16, CPU, shuffle=True, seed=3)
        for one, other in zip(ours.epoch(1), theirs.epoch(1), strict=True):
            assert one[0].is_cuda
            assert torch.allclose(one[0].cpu(), other[0])
            assert torch.equal(one[1].cpu(), other[1])
