"""Training on data that can only be iterated."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.checking.deep import check_deeply
from fusionq.engine.data.batches import example_of
from fusionq.engine.data.loading import BatchMaker
from fusionq.engine.data.part import Part
from fusionq.engine.data.stream import StreamBatches
from fusionq.engine.randomness import random_state
from fusionq.errors import CheckpointError, DataError
from fusionq.spec.events import Event, Started
from fusionq.spec.job import DataSection
from tests.engine.jobs import CPU, assert_same_run, job_spec, last_state, run, run_with_stops, same
from tests.engine.streams import Numbers, Placed

STREAM = [
    "data={train: {_target_: tests.engine.streams.Shuffled}, test: {_target_: tests.engine.streams.Tests}, "
    "batch_size: 40}",
    "train.epochs=3",
]
PLACED = [*STREAM, "data.train={_target_: tests.engine.streams.Placed}"]


@pytest.fixture(autouse=True)
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr("fusionq.engine.job.Plots", lambda paths: Callback())


def make(dataset: Any, steps: int | None = None, *, part: Part = Part(), **section: Any) -> Any:  # noqa: B008
    maker = BatchMaker(DataSection(batch_size=5, **section), CPU, seed=3, steps_per_epoch=steps, part=part)
    return maker.make(dataset, train=True)


def numbers(batches: Any, epoch: int, start: int = 0) -> list[list[int]]:
    return [batch[0].tolist() for batch in batches.epoch(epoch, start)]


# --- batches ------------------------------------------------------------------------------------------------


def test_an_epoch_ends_where_the_stream_ends() -> None:
    dataset = Numbers()
    batches = make(dataset)
    assert numbers(batches, 0) == [[*range(i, min(i + 5, 23))] for i in range(0, 23, 5)]
    assert numbers(batches, 1, 3) == [[15, 16, 17, 18, 19], [20, 21, 22]]
    assert dataset.epochs == [0, 1]
    assert numbers(make(Numbers(), drop_last=True), 0)[-1] == [15, 16, 17, 18, 19]


def test_with_steps_the_stream_goes_on_over_epochs_and_begins_anew_at_its_end() -> None:
    dataset = Numbers()
    batches = make(dataset, 3)
    assert [[len(b) for b in numbers(batches, epoch)] for epoch in range(3)] == [
        [5, 5, 5],
        [5, 3, 5],
        [5, 5, 5],
    ]
    assert dataset.epochs == [0, 1]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("steps", [None, 4])
def test_what_is_drawn_at_random_does_not_depend_on_where_it_began(
    num_workers: int, steps: int | None
) -> None:
    def drawn(batches: Any, epoch: int, start: int) -> list[Any]:
        return [[part.tolist() for part in batch] for batch in batches.epoch(epoch, start)]

    before = random_state()
    one = make(Numbers(), steps, num_workers=num_workers)
    whole = [drawn(one, epoch, 0) for epoch in range(3)]
    assert same(random_state(), before), "the model's random numbers are left alone"
    assert whole[0] != whole[1]
    for epoch, start in [(0, 2), (1, 3), (2, 1)]:
        assert drawn(make(Numbers(), steps, num_workers=num_workers), epoch, start) == whole[epoch][start:]


def test_loader_processes_share_the_samples_as_the_stream_says() -> None:
    found = numbers(make(Numbers(), num_workers=2), 0)
    assert found[:2] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert sorted(number for batch in found for number in batch) == list(range(23))


def test_processes_of_a_job_take_their_part_of_each_batch() -> None:
    parts = [make(Numbers(), part=Part(index, 2)) for index in range(2)]
    lengths = []
    for one, other in zip(*(part.epoch(0) for part in parts), strict=True):
        lengths.append(parts[0].whole_length(0))
        assert len(one[0]) + len(other[0]) == lengths[-1]
        assert one[0][-1] + 1 == other[0][0]
    assert lengths == [5, 5, 5, 5, 3]


def test_an_example_leaves_the_stream_where_it_is() -> None:
    batches = make(Placed(size=20), 2)
    first = batches.epoch(0)
    next(first)
    assert len(example_of(batches)[1]) == 5
    assert batches.inner.own_place.place == 5


def test_a_stream_without_a_batch_is_refused() -> None:
    with pytest.raises(DataError, match="Numbers yields no batch"):
        list(make(Numbers(0)).epoch(0))
    with pytest.raises(DataError, match=r"yields no batch of data.batch_size samples, and data.drop_last"):
        list(make(Numbers(4), 2, drop_last=True).epoch(0))


def test_another_number_of_loader_processes_is_refused() -> None:
    state = StreamBatches(Numbers(), 5, CPU).state_dict()
    with pytest.raises(CheckpointError, match=r"data.num_workers: 0, and now there are 2"):
        StreamBatches(Numbers(), 5, CPU, num_workers=2).load_state_dict(state)


# --- jobs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        STREAM,
        [*STREAM, "train.steps_per_epoch=5", "train.gradient_accumulation_steps=2"],
        [*STREAM, "train.steps_per_epoch=11", "data.num_workers=2"],
        PLACED,
        [*PLACED, "train.steps_per_epoch=3"],
        [*PLACED, "train.steps_per_epoch=9"],
        [*STREAM, "data.test={_target_: tests.engine.streams.Placed}"],
    ],
    ids=[
        "by its end",
        "short epochs",
        "long epochs",
        "own place",
        "own place, short",
        "own place, long",
        "own place to test on",
    ],
)
def test_a_stopped_job_ends_as_if_it_was_not(more: list[str], tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(job_spec(*more), whole) is not None
    # Within epochs, after the last batch of one, and twice while testing.
    run_with_stops(job_spec(*more), stopped, [3, 6, 1, 1, 2, 5])
    assert_same_run(whole, stopped)


def test_a_stream_that_keeps_its_place_is_not_drawn_again(tmp_path: Path) -> None:
    Placed.num_drawn = 0
    run_with_stops(job_spec(*PLACED), tmp_path, [5, 10])
    assert Placed.num_drawn == 3 * 300


def test_the_number_of_batches_is_known_after_an_epoch(tmp_path: Path) -> None:
    told: list[Event] = []
    run_with_stops(job_spec(*STREAM), tmp_path, [12])
    assert last_state(tmp_path)["batches_before"] == 3 * 8
    again = job_spec(*STREAM, "train.epochs=4")
    assert run(again, tmp_path, attempt=3, report=told.append) is not None
    assert [event.num_batches for event in told if isinstance(event, Started)] == [8]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.shuffle=true", "data.shuffle: Shuffled can only be iterated, in its own order"),
        ("data.sampler={_target_: RandomSampler}", "data.sampler: Shuffled can only be iterated"),
        ("data.val_fraction=0.1", "data.val_fraction: .* give data.val instead"),
        ("train.warmup=1ep", "train.warmup: .* say batches, such as 500ba"),
    ],
)
def test_what_no_stream_can_do_is_refused(override: str, words: str, tmp_path: Path) -> None:
    spec = job_spec(*STREAM, override)
    with pytest.raises(DataError, match=words):
        run(spec, tmp_path)
    key = override.partition("=")[0]
    assert [".".join(place) for place, _ in check_deeply(spec, tmp_path, None).problems] == [key]


def test_the_deep_check_looks_at_a_sample_of_a_stream(tmp_path: Path) -> None:
    assert check_deeply(job_spec(*STREAM), tmp_path, None).problems == []
    wrong = check_deeply(job_spec(*STREAM, "model._args_.1.in_features=63"), tmp_path, None).problems
    assert [place for place, _ in wrong] == [("model", "_args_", 1)]


def test_a_model_is_evaluated_on_a_stream(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert run(job_spec(*STREAM, "train.epochs=1"), tmp_path / "train") is not None
    best = next((tmp_path / "train" / "best_models").iterdir())
    spec = job_spec(*STREAM, "task=evaluate", f"model.from={best}")
    result = run(spec, tmp_path / "test")
    assert result is not None
    assert 0 <= result["values"]["test_accuracy"] <= 1


def test_loader_processes_of_a_pass_end_with_the_training(tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    run_with_stops(job_spec(*STREAM, "train.steps_per_epoch=3", "data.num_workers=2"), tmp_path, [2])
    assert set(multiprocessing.active_children()) <= before
