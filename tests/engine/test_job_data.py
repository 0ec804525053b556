"""The data of a job."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Subset,
)

import fusionq as tf
from fusionq.engine.assembly import Assembly, Job
from fusionq.engine.data.split import split
from fusionq.errors import DataError
from fusionq.spec.job import DataSection
from fusionq.spec.paths import RunPaths
from tests.engine.batches import make_batches
from tests.engine.draws import Draws
from tests.engine.jobs import CPU, job_spec
from tests.engine.streams import Numbers


@pytest.mark.parametrize("dataset", [Subset(Draws(), []), Draws(0)])
def test_an_empty_data_set_is_refused(dataset: Any) -> None:
    with pytest.raises(DataError, match="is empty"):
        make_batches(dataset, [], DataSection(), CPU, shuffle=True, seed=0)


@pytest.mark.parametrize("dataset", [iter([1]), DataLoader(Numbers()), 3])
def test_what_is_neither_indexed_nor_iterable_again_is_refused(dataset: Any) -> None:
    with pytest.raises(DataError, match=f"{type(dataset).__name__} is no data set: it needs a length"):
        make_batches(dataset, [], DataSection(), CPU, shuffle=True, seed=0)


def test_a_validation_share_is_drawn_by_the_seed_and_shares_nothing_with_the_rest() -> None:
    dataset = Draws(100)
    train, val = split(dataset, 0.2, seed=4)
    assert len(val) == 20
    assert sorted([*train.indices, *val.indices]) == list(range(100))
    assert split(dataset, 0.2, seed=4)[1].indices == val.indices
    assert split(dataset, 0.2, seed=5)[1].indices != val.indices
    assert val.indices != list(range(80, 100)), "drawn, not cut off"


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_a_share_that_leaves_nothing_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match="leaves nothing to train or to validate on"):
        split(Draws(100), fraction, seed=0)


@pytest.mark.parametrize(
    "transform", ["[{_target_: ToTensor}]", "[{_target_: ToTensor}, {_target_: RandomAffine, degrees: 9}]"]
)
def test_validation_data_go_the_way_of_the_training_data(transform: str, tmp_path: Any) -> None:
    spec = job_spec("data.val_fraction=0.25", f"data.transform={transform}")
    assembly = Assembly(Job(spec, RunPaths(tmp_path), 1, tmp_path), print)
    batches = assembly.train_batches()
    val, test = assembly.tests()
    assert (val.phase, test.phase) == ("val", "test")
    assert list(val.metrics) == ["val_accuracy"]
    sizes = [sum(len(batch[0]) for batch in some.epoch(0)) for some in (batches, val.batches, test.batches)]
    assert sizes == [1078, 359, 360]


def test_channels_last_reaches_the_model(tmp_path: Any) -> None:
    spec = job_spec(
        "train.channels_last=true", "data.train={_target_: FakeData, size: 4, image_size: [3, 8, 8]}"
    )
    assembly = Assembly(Job(spec, RunPaths(tmp_path), 1, tmp_path), print)
    (images, _), *_ = assembly.train_batches().epoch(0)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_digits_are_seventeen_hundred_pictures_in_two_parts() -> None:
    train, test = tf.Digits(train=True), tf.Digits(train=False)
    assert len(train) + len(test) == 1797
    image, target = train[0]
    assert image.size == (28, 28)
    assert image.mode == "L"
    assert isinstance(target, int)
    assert train.data.shape == (1437, 28, 28)
    assert train.data.dtype == torch.uint8
    assert set(test.targets.tolist()) == set(range(10))
