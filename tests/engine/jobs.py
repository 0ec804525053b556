"""What the engine's tests share: a small job on real digits, and ways to run it and to compare runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import fusionq as tf
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import Event
from fusionq.spec.job import JobSpec
from fusionq.spec.load import check
from fusionq.spec.overrides import apply_overrides
from fusionq.spec.paths import RunPaths
from fusionq.spec.reader import read_text

JOB = """
name: tiny
model:
  _target_: Sequential
  _args_:
    - {_target_: fusionq.Flatten}
    - {_target_: Linear, in_features: 64, out_features: 16}
    - {_target_: ReLU}
    - {_target_: Dropout, p: 0.2}
    - {_target_: Linear, in_features: 16, out_features: 10}
data:
  train: {_target_: Digits, size: 8}
  test: {_target_: Digits, size: 8, train: false}
  transform: [{_target_: ToTensor}]
  batch_size: 144
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: Adam, lr: 0.01}
metrics: {train: [{_target_: Accuracy}], test: [{_target_: Accuracy}]}
train: {epochs: 2, seed: 1}
"""
BATCHES = 10
"""Training batches in an epoch of JOB; its test data, in larger batches, fill 1 more."""

CPU = torch.device("cpu")
needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def job_spec(*overrides: str) -> JobSpec:
    """JOB with `key.path=value` changes."""
    return check(apply_overrides(read_text(JOB, "job.yaml", {}), overrides, {}))


def run(
    spec: JobSpec,
    folder: Path,
    *,
    attempt: int = 1,
    fresh_after: int = 0,
    stop: StopToken | None = None,
    report: Callable[[Event], None] = lambda event: None,
    data_root: Path | None = None,
) -> dict[str, Any] | None:
    """One attempt of a job in the run folder `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(spec, RunPaths(folder), attempt, folder, fresh_after, data_root)
    return run_job(job, report, stop or StopToken())


class StopAfter(StopToken):
    """Asks to stop at the given poll: once after every batch, of training as of testing."""

    def __init__(self, polls: int) -> None:
        self.polls = polls

    @property
    def requested(self) -> bool:
        self.polls -= 1
        return self.polls <= 0


def run_with_stops(spec: JobSpec, folder: Path, stops: list[int]) -> int:
    """Run a job that is stopped after so many batches, again and again. Returns its number of attempts."""
    for attempt, polls in enumerate(stops, 1):
        if run(spec, folder, attempt=attempt, stop=StopAfter(polls)) is not None:
            return attempt
    assert run(spec, folder, attempt=len(stops) + 1) is not None
    return len(stops) + 1


def last_state(folder: Path) -> dict[str, Any]:
    """The newest checkpoint of a run."""
    return torch.load(max((folder / "checkpoints").glob("*.pt")), weights_only=True)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last bit; a number that is none equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


def assert_same_run(one: Path, other: Path) -> None:
    """Both runs came to the same bits: weights, optimizer, scheduler, history, random state, best model."""
    states = last_state(one), last_state(other)
    differing = [key for key in states[0] if not same(states[0][key], states[1][key])]
    assert differing == []
    for pattern in ("history.json", "best_models/*", "all_models/*"):
        contents = [{path.name: path.read_bytes() for path in run.glob(pattern)} for run in (one, other)]
        assert contents[0] == contents[1], pattern
    assert (one / "history.json").exists()


# --- for scripts that call a trainer themselves ----------------------------------------------------------


def digits(train: bool = True, *, most: int | None = None) -> TensorDataset:
    """Digits as floats of shape (N, 1, 8, 8) between 0 and 1, with their classes."""
    source = tf.Digits(train=train, size=8)
    return TensorDataset(source.data[:most, None] / 255, source.targets[:most])


def loader(train: bool = True, *, most: int | None = None, batch_size: int = 144) -> DataLoader:
    return DataLoader(digits(train, most=most), batch_size=batch_size, shuffle=train)


def network(hidden: int = 16) -> nn.Sequential:
    return nn.Sequential(tf.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def train(trainer: tf.BaseModel, folder: Path, **more: Any) -> Any:
    """A short, quiet training by script: SGD, one epoch, no bar, no plots."""
    arguments: dict[str, Any] = {
        "train_loader": loader(),
        "loss_fn": nn.CrossEntropyLoss(),
        "optimizer": torch.optim.SGD(trainer.model.parameters(), lr=0.1),
        "num_epochs": 1,
        "model_dir": folder,
        "batch_log": False,
        "save_metrics": False,
    }
    return trainer.train(**{**arguments, **more})
