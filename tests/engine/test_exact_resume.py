"""A job that was stopped or killed, wherever, ends with the same bits as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fusionq as tf
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.stopping import StopToken
from tests.engine.jobs import BATCHES, StopAfter, assert_same_run, job_spec, last_state, run, run_with_stops
from tests.support import wait_until

NOISY = "data.train={_target_: tests.engine.noisy.NoisyDigits}"
TESTED_IN_BATCHES = "data.test={_target_: tests.engine.noisy.NoisyDigits}"
"""Ten of them; data that the engine holds are tested on in one."""
AUGMENTED = "data.augment=[{_target_: RandomAffine, degrees: 20}]"
AUGMENTED_ON_THE_DEVICE = (
    "data.augment=[{_target_: RandomCrop, size: 8, padding: 1}, {_target_: RandomHorizontalFlip}]"
)
BATCH_NORM = (
    "model._args_=[{_target_: Conv2d, in_channels: 1, out_channels: 4, kernel_size: 3}, "
    "{_target_: BatchNorm2d, num_features: 4}, {_target_: ReLU}, {_target_: fusionq.GlobalAvgPool2d}, "
    "{_target_: Dropout}, {_target_: Linear, in_features: 4, out_features: 10}]"
)
ONE_CYCLE = [
    "lr_scheduler={_target_: OneCycleLR, max_lr: 0.05, total_steps: 20}",
    "train.lr_interval=step",
]
WATCHING = "lr_scheduler={_target_: ReduceLROnPlateau, patience: 0, threshold: 10.0}"
CASES = {
    "resident data": [],
    "a loader": [NOISY],
    "augmentation": [AUGMENTED],
    "augmentation on the device": [AUGMENTED_ON_THE_DEVICE],
    "StepLR": ["lr_scheduler={_target_: StepLR, step_size: 1, gamma: 0.5}", "optimizer={_target_: AdamW}"],
    "OneCycleLR in every step": ONE_CYCLE,
    "a scheduler that watches": [WATCHING],
    "accumulation": ["train.gradient_accumulation_steps=3"],
    "averaged weights": ["train.ema=0.9", BATCH_NORM],
    "warm-up": ["train.warmup=14ba", "train.clip_grad_norm=0.5", "optimizer={_target_: SGD, lr: 0.1}"],
    "bf16": ["train.precision=bf16"],
    "validation": ["data.val_fraction=0.2", "checkpoint.monitor=val_accuracy", "checkpoint.save_models=all"],
    "a torchmetric": [
        "metrics.train=[{_target_: torchmetrics.classification.MulticlassF1Score, num_classes: 10}]"
    ],
    "everything": [
        NOISY,
        BATCH_NORM,
        *ONE_CYCLE,
        "train.gradient_accumulation_steps=2",
        "train.ema=0.95",
        "train.warmup=1ep",
        "train.clip_grad_norm=1",
        "train.precision=bf16",
        "checkpoint.every=3ba",
    ],
}  # fmt: skip
FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
POLLS = st.integers(1, BATCHES + 4)
"""Where a stop is asked for: after any batch of training or testing, or in the epoch after."""

Whole = dict[str, Path]


@pytest.fixture(scope="module", autouse=True)
def without_plots() -> Iterator[None]:
    """Drawing takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fusionq.engine.job.Plots", lambda paths: Callback())
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The uninterrupted run of each case that was asked for."""
    return _Whole(tmp_path_factory)


class _Whole(dict):
    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self.folders = folders

    def __missing__(self, case: str) -> Path:
        self[case] = self.folders.mktemp("whole")
        assert run(job_spec(*CASES[case]), self[case]) is not None
        return self[case]


@pytest.mark.parametrize("case", CASES)
@FEW
@given(stops=st.lists(POLLS, min_size=1, max_size=3))
def test_a_job_that_was_stopped_ends_as_if_it_was_not(
    case: str, stops: list[int], whole: Whole, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stopped")
    run_with_stops(job_spec(*CASES[case]), folder, stops)
    assert_same_run(whole[case], folder)


@pytest.mark.parametrize("polls", [BATCHES, BATCHES + 1, 2 * BATCHES + 2])
def test_a_stop_at_the_edge_of_an_epoch_changes_nothing(polls: int, whole: Whole, tmp_path: Path) -> None:
    assert run_with_stops(job_spec(), tmp_path, [polls]) == 2
    assert_same_run(whole["resident data"], tmp_path)


def test_loading_in_other_processes_is_as_exact(whole: Whole, tmp_path: Path) -> None:
    spec = job_spec(*CASES["a loader"], "data.num_workers=2")
    assert run_with_stops(spec, tmp_path, [4, 12]) == 3
    assert_same_run(whole["a loader"], tmp_path)


class StopsWhileTesting(tf.StandardModel):
    """Asks to stop from within its eval hook, once."""

    token = StopToken()

    def __eval_function__(self, data, metrics, loss_fn=None, running_loss=None):
        super().__eval_function__(data, metrics, loss_fn, running_loss)
        self.token.request()


def test_a_stop_from_within_an_eval_hook_keeps_the_epoch(whole: Whole, tmp_path: Path) -> None:
    spec = job_spec(f"trainer={__name__}.StopsWhileTesting")
    StopsWhileTesting.token = StopToken()
    assert run(spec, tmp_path, stop=StopsWhileTesting.token) is None
    state = last_state(tmp_path)
    assert (state["epoch"], state["batch"]) == (0, BATCHES)
    assert run(spec, tmp_path, attempt=2) is not None
    assert_same_run(whole["resident data"], tmp_path)


def test_a_hook_that_draws_random_numbers_while_testing_changes_nothing(tmp_path: Path) -> None:
    spec = job_spec(f"trainer={__name__}.DrawsWhileTesting", TESTED_IN_BATCHES)
    run(spec, tmp_path / "whole")
    run_with_stops(spec, tmp_path / "stopped", [BATCHES + 4])
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_what_changes_while_testing_changes_once(tmp_path: Path) -> None:
    metric = f"{{_target_: {__name__}.Smoothed, name: smoothed}}"
    metrics = f"metrics={{val: [{metric}, {{_target_: Accuracy}}], test: [{metric}]}}"
    trainer = f"trainer={__name__}.CountsWhileTesting"
    spec = job_spec(trainer, "data.val_fraction=0.2", TESTED_IN_BATCHES, metrics)
    run(spec, tmp_path / "whole")
    # Of 8 batches to train on, 1 to validate on and 10 to test on.
    for i, stops in enumerate(([9], [11, 3, 14], [19, 12, 2])):
        folder = tmp_path / str(i)
        assert run_with_stops(spec, folder, stops) == len(stops) + 1
        assert_same_run(tmp_path / "whole", folder)


class CountsWhileTesting(tf.StandardModel):
    """Its outputs in a test depend on how often it was tested."""

    tested = 0

    def __eval_function__(self, data, metrics, loss_fn=None, running_loss=None):
        self.tested += 1
        inputs, targets = data
        super().__eval_function__((inputs * self.tested, targets), metrics, loss_fn, running_loss)


class Smoothed(tf.Metric):
    """A metric that keeps something from epoch to epoch."""

    before = 0.0
    seen: tuple[float, ...] = ()

    def reset(self) -> None:
        self.before = self.result()
        self.seen = ()

    def update(self, outputs, targets) -> None:
        self.seen += (outputs.argmax(1).eq(targets).float().mean().item(),)

    def result(self) -> float:
        return 0.5 * self.before + sum(self.seen) / max(len(self.seen), 1)


class DrawsWhileTesting(tf.StandardModel):
    def __eval_function__(self, data, metrics):
        inputs, targets = data
        super().__eval_function__((inputs + inputs.new_empty(inputs.shape).uniform_(), targets), metrics)


def test_a_finished_job_that_is_started_again_does_nothing_more(whole: Whole, tmp_path: Path) -> None:
    first = run(job_spec(), tmp_path)
    again = run(job_spec(), tmp_path, attempt=2)
    assert first["values"] == again["values"]
    assert first["best_model"] == again["best_model"]
    assert_same_run(whole["resident data"], tmp_path)


def test_early_stopping_ends_at_the_same_epoch_after_a_stop(tmp_path: Path) -> None:
    # Without learning nothing gets better after the first epoch.
    frozen = ["train.early_stopping=2", "train.epochs=9", "optimizer={_target_: SGD, lr: 0.0}"]
    ends = []
    for name, polls in (("whole", 10_000), ("stopped", 2 * BATCHES + 5)):
        run(job_spec(*frozen), tmp_path / name, stop=StopAfter(polls))
        ends.append(run(job_spec(*frozen), tmp_path / name, attempt=2))
    assert ends[0]["epochs"] == ends[1]["epochs"] == 3
    assert ends[0]["ended_early"] == ends[1]["ended_early"] == "no better test_accuracy since epoch 1"
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_resume_never_begins_anew(whole: Whole, tmp_path: Path) -> None:
    spec = job_spec("checkpoint.resume=never")
    assert run_with_stops(spec, tmp_path, [7]) == 2
    assert_same_run(whole["resident data"], tmp_path)


# --- killed ------------------------------------------------------------------------------------------------

KILLED = ["train.epochs=12", "checkpoint.every=1ba", NOISY, "train.ema=0.9", *CASES["StepLR"]]


def _start(folder: Path, attempt: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.engine.one_attempt", str(folder), str(attempt), *KILLED]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)


def _newest(folder: Path) -> str:
    return max((path.name for path in (folder / "checkpoints").glob("*.pt")), default="")


def test_a_job_that_is_killed_again_and_again_ends_as_if_it_was_not(tmp_path: Path) -> None:
    """Every batch writes a checkpoint, so most kills fall into a write."""
    run(job_spec(*KILLED), tmp_path / "whole")
    folder = tmp_path / "killed"
    for attempt, position in (
        (1, "attempt-0001-epoch-000001-batch-00000003"),
        (2, "attempt-0002-epoch-000004"),
    ):
        process = _start(folder, attempt)
        try:
            wait_until(lambda at=position: _newest(folder) >= at, timeout_s=300, what=f"the state {position}")
        finally:
            os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    assert _newest(folder) < "attempt-0002-epoch-000011", "little was left to do"
    assert _start(folder, 3).wait(timeout=300) == 0
    assert_same_run(tmp_path / "whole", folder)


# --- more of it ------------------------------------------------------------------------------------------


def test_a_job_that_goes_on_with_more_epochs_ends_as_one_that_had_them_at_once(tmp_path: Path) -> None:
    epochs = ["train.epochs=4", *CASES["StepLR"], "checkpoint.save_models=all"]
    run(job_spec(*epochs), tmp_path / "whole")
    run(job_spec(*epochs, "train.epochs=2"), tmp_path / "grown")
    assert run(job_spec(*epochs), tmp_path / "grown", attempt=2)["epochs"] == 4
    assert_same_run(tmp_path / "whole", tmp_path / "grown")


def test_more_epochs_take_a_job_further_that_had_ended_early(tmp_path: Path) -> None:
    frozen = ["optimizer={_target_: SGD, lr: 0.0}"]
    first = run(job_spec(*frozen, "train.early_stopping=1", "train.epochs=5"), tmp_path)
    assert first["epochs"] == 2
    more = [*frozen, "train.early_stopping=3", "train.epochs=6"]
    assert run(job_spec(*more), tmp_path, attempt=2)["epochs"] == 4
