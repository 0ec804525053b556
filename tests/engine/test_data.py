"""Data sample by sample: random draws as a function of seed, epoch and batch. The data of a job."""

from __future__ import annotations

import random
from collections import namedtuple
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

import fusionq as tf
from fusionq.engine.assembly import Assembly, Job
from fusionq.engine.data.batches import (
    HookedBatches,
    LoaderBatches,
    ResidentBatches,
    as_batches,
    to_device,
)
from fusionq.engine.data.collate import collate
from fusionq.engine.data.host_state import HostState
from fusionq.engine.data.loading import Transformed
from fusionq.engine.data.part import Part
from fusionq.engine.data.split import split
from fusionq.engine.randomness import random_state, seed_host
from fusionq.errors import DataError
from fusionq.spec.job import DataSection
from fusionq.spec.paths import RunPaths
from tests.engine.batches import make_batches
from tests.engine.jobs import CPU, job_spec, same


class Draws(Dataset):
    """Every sample is its index and what the three generators give when it is asked for."""

    def __init__(self, num_samples: int = 24) -> None:
        self.num_samples = num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        drawn = [random.random(), float(np.random.rand()), torch.rand(()).item()]
        return index, torch.tensor(drawn, dtype=torch.float64)


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


Pair = namedtuple("Pair", "inputs target")


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


# --- loaders of a script -----------------------------------------------------------------------------------


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


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter([torch.zeros(1)])


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


# --- the data of a job -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [Subset(Draws(), []), Draws(0)])
def test_an_empty_data_set_is_refused(dataset: Any) -> None:
    with pytest.raises(DataError, match="is empty"):
        make_batches(dataset, [], DataSection(), CPU, shuffle=True, seed=0)


@pytest.mark.parametrize("dataset", [iter([1]), DataLoader(Stream()), 3])
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


# --- which samples, and in which order ----------------------------------------------------------------------


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
