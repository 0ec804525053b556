"""Epochs of a given number of batches: they go on through the data, in its own order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from fusionq.engine.assembly import Assembly, Job
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.checking.single_samples import find_single_sample
from fusionq.engine.data.epoch_steps import SteppedBatches
from fusionq.engine.data.loading import BatchMaker
from fusionq.spec.events import Event, Progress, Started
from fusionq.spec.job import DataSection
from fusionq.spec.paths import RunPaths
from tests.engine.jobs import CPU, assert_same_run, job_spec, last_state, run, run_with_stops
from tests.engine.test_data import Draws

NOISY = "data.train={_target_: tests.engine.noisy.NoisyDigits}"


@pytest.fixture(autouse=True)
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr("fusionq.engine.job.Plots", lambda paths: Callback())


def make(dataset: Any, steps: int | None, **section: Any) -> Any:
    maker = BatchMaker(DataSection(batch_size=5, **section), CPU, seed=3, steps_per_epoch=steps)
    return maker.make(dataset, train=True)


def flat(batches: Any, epochs: range) -> list[Any]:
    return [[torch.as_tensor(part).tolist() for part in batch] for e in epochs for batch in batches.epoch(e)]


DATASETS = {
    "resident": (TensorDataset(torch.arange(24), torch.arange(24)), {}),
    "a loader": (Draws(24), {}),
    "loader processes": (Draws(24), {"num_workers": 2}),
}


@pytest.mark.parametrize("kind", DATASETS)
@pytest.mark.parametrize("steps", [3, 7])
def test_epochs_go_on_through_the_data(kind: str, steps: int) -> None:
    dataset, section = DATASETS[kind]
    whole = flat(make(dataset, None, **section), range(3))
    stepped = make(dataset, steps, **section)
    assert len(stepped) == steps
    assert flat(stepped, range(2)) == whole[: 2 * steps]
    assert flat(make(dataset, steps, **section), range(1, 2)) == whole[steps : 2 * steps], "from any epoch"


def test_any_batch_of_any_epoch_can_be_the_first() -> None:
    whole = flat(make(Draws(24), None), range(4))
    for position in (1, 4, 5, 9, 10, 13):
        stepped = make(Draws(24), 7)
        epoch, start = divmod(position, 7)
        assert [b[0].tolist() for b in stepped.epoch(epoch, start)] == [
            b[0] for b in whole[position : 7 * (epoch + 1)]
        ]


def test_the_length_of_a_batch_is_that_of_its_place_in_the_data() -> None:
    stepped = make(Draws(24), 7)
    lengths = [(len(batch[0]), stepped.whole_length(i)) for i, batch in enumerate(stepped.epoch(1))]
    assert lengths == [(n, n) for n in (5, 5, 4, 5, 5, 5, 5)]


def test_short_epochs_do_not_begin_the_data_anew() -> None:
    class Counting:
        begun = 0

        def __len__(self) -> int:
            return 6

        def whole_length(self, batch: int) -> int:
            return 1

        def epoch(self, epoch: int, start: int = 0) -> Iterator[int]:
            self.begun += 1
            return iter(range(start, 6))

    inner = Counting()
    stepped = SteppedBatches(inner, 2)
    assert [list(stepped.epoch(epoch)) for epoch in range(4)] == [[0, 1], [2, 3], [4, 5], [0, 1]]
    assert inner.begun == 2


@pytest.mark.parametrize(
    "more",
    [
        ["train.steps_per_epoch=7", "train.epochs=3", "train.gradient_accumulation_steps=2"],
        [NOISY, "train.steps_per_epoch=13", "data.num_workers=2", "train.channels_last=true"],
    ],
)
def test_a_stopped_job_with_epochs_of_its_own_length_ends_as_if_it_was_not(
    more: list[str], tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(job_spec(*more), whole) is not None
    run_with_stops(job_spec(*more), stopped, [4, 9, 8])
    assert_same_run(whole, stopped)


def test_progress_schedulers_and_warm_up_count_these_epochs(tmp_path: Path) -> None:
    told: list[Event] = []
    spec = job_spec(
        "train.steps_per_epoch=4",
        "lr_scheduler={_target_: OneCycleLR, max_lr: 0.05, total_steps: 8}",
        "train.lr_interval=step",
    )
    assert run(spec, tmp_path, report=told.append) is not None
    assert [event.num_batches for event in told if isinstance(event, Started)] == [4]
    assert all(
        event.num_batches == 4 for event in told if isinstance(event, Progress) and event.phase == "train"
    )
    state = last_state(tmp_path)
    assert state["stepper"]["steps"] == 8
    assert state["batches_before"] == 8
    warm = job_spec("train.steps_per_epoch=4", "train.warmup=2ep")
    assembly = Assembly(Job(warm, RunPaths(tmp_path), 1, tmp_path), print)
    assembly.set_up_steps(assembly.train_batches())
    assert assembly.trainer.stepper.options.warmup_steps == 8


def test_a_last_batch_that_is_never_reached_is_no_single_sample() -> None:
    batches_of_ten = ["data.batch_size=10", "train.epochs=2"]
    assert find_single_sample(job_spec(*batches_of_ten), 101) is not None
    assert find_single_sample(job_spec(*batches_of_ten, "train.steps_per_epoch=5"), 101) is None
    assert find_single_sample(job_spec(*batches_of_ten, "train.steps_per_epoch=6"), 101) is not None
