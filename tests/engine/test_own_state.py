"""What a trainer keeps beside the model is in the checkpoint, or its user is told that it is not."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import fusionq as tf
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_tensors
from fusionq.errors import CheckpointError
from fusionq.spec.events import Event, Warned
from tests.engine.jobs import StopAfter, assert_same_run, job_spec, last_state, run, run_with_stops

OF_US = "tests.engine.own_trainers"
TRAININGS = {
    "two optimizers": [
        f"model={{_target_: {OF_US}.Gan}}",
        f"trainer={OF_US}.GanTrainer",
    ],
    "a hidden state": [f"model={{_target_: {OF_US}.Recurrent}}", f"trainer={OF_US}.RecurrentTrainer"],
    "averaged weights of a model with a state": [f"model={{_target_: {OF_US}.Centred}}", "train.ema=0.9"],
    "parameters that the optimizer gets later": [f"trainer={OF_US}.GroupTrainer"],
    "a hook that begins epochs": [f"trainer={OF_US}.CurriculumTrainer"],
    "a replay buffer": [f"trainer={OF_US}.Replay"],
    "layers that change while they train": [f"trainer={OF_US}.UnfreezingTrainer"],
}


@pytest.fixture(scope="module", autouse=True)
def without_plots() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fusionq.engine.job.Plots", lambda paths: Callback())
        yield


@pytest.mark.parametrize("which", TRAININGS)
def test_a_trainer_with_a_state_of_its_own_resumes_exactly(which: str, tmp_path: Path) -> None:
    spec = job_spec(*TRAININGS[which])
    assert run(spec, tmp_path / "whole") is not None
    for i, stops in enumerate(([1], [4, 9, 7], [11, 5])):
        folder = tmp_path / str(i)
        assert run_with_stops(spec, folder, stops) == len(stops) + 1
        assert_same_run(tmp_path / "whole", folder)


# --- beside the trainer ----------------------------------------------------------------------------------


class Counts(Callback):
    """A user's callback that ends training by what it has counted."""

    def __init__(self) -> None:
        self.batches = 0
        self.rates: list[float] = []

    def on_train_start(self, training) -> None:
        self.training = training

    def on_batch_end(self, training) -> None:
        self.batches += 1
        self.rates.append(training.optimizer.param_groups[0]["lr"])
        for group in training.optimizer.param_groups:
            group["lr"] = 0.01 / (1 + len(self.rates) + self.batches)


class Distance(tf.Metric):
    """A metric as a user writes it: without a state_dict."""

    higher_is_better = False

    def reset(self) -> None:
        self.values: list[float] = []

    def update(self, outputs, targets) -> None:
        self.values.append((outputs.argmax(1) - targets).abs().float().mean().item())

    def result(self) -> float:
        return sum(self.values) / max(len(self.values), 1)


class Centred(nn.CrossEntropyLoss):
    """A loss that learns while it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0
        self.register_buffer("mean", torch.zeros(10))

    def forward(self, outputs, targets):
        self.mean.lerp_(outputs.detach().mean(0), 0.1)
        self.scale *= 0.99
        return super().forward((outputs - self.mean) * self.scale, targets)


class Draws(tf.Digits):
    """A data set with generators of its own."""

    def __init__(self) -> None:
        super().__init__(size=8)
        self.noise = np.random.default_rng(1)
        self.turns = [random.Random(2)]

    def __getitem__(self, index: int):
        image = self.data[index, None] / 255
        if self.turns[0].random() < 0.5:
            image = image.flip(-1)
        return image + torch.from_numpy(self.noise.random(image.shape, dtype=np.float32)), int(
            self.targets[index]
        )


BESIDE = [
    f"callbacks=[{{_target_: {__name__}.Counts}}]",
    f"metrics.train=[{{_target_: {__name__}.Distance, name: distance}}]",
    f"loss={{_target_: {__name__}.Centred}}",
    f"data.train={{_target_: {__name__}.Draws}}",
]


def test_callbacks_metrics_losses_and_data_with_a_state_resume_exactly(tmp_path: Path) -> None:
    spec = job_spec(*BESIDE)
    assert run(spec, tmp_path / "whole") is not None
    assert run_with_stops(spec, tmp_path / "stopped", [3, 4, 9]) == 4
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    assert run_with_stops(job_spec(*BESIDE, "data.num_workers=1"), tmp_path / "loaded", [7]) == 2
    assert_same_run(tmp_path / "whole", tmp_path / "loaded")


# --- what its user does ----------------------------------------------------------------------------------


class Streams(tf.StandardModel):
    """Holds what nobody can save."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.numbers = itertools.count()


class StreamsOn(Streams):
    """Says itself how to go on with it."""

    restored = -1

    def __train_func__(self, *arguments):
        next(self.numbers)
        super().__train_func__(*arguments)

    def state_dict(self):
        return {"next": next(self.numbers), "array": np.arange(2)}

    def load_state_dict(self, state):
        self.numbers = itertools.count(state["next"])
        StreamsOn.restored = state["next"]


def test_what_is_not_kept_is_told_once_in_the_log_and_to_the_queue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Event] = []
    run(job_spec(f"trainer={__name__}.Streams"), tmp_path, report=told.append)
    (text,) = [event.text for event in told if isinstance(event, Warned)]
    assert "not in the checkpoint" in text
    assert "self.numbers (an open iterator, count)" in text
    assert capsys.readouterr().out.count(text) == 1


def test_a_trainer_may_save_the_rest_itself(tmp_path: Path) -> None:
    told: list[Event] = []
    spec = job_spec(f"trainer={__name__}.StreamsOn")
    run(spec, tmp_path, stop=StopAfter(4), report=told.append)
    run(spec, tmp_path, attempt=2, report=told.append)
    assert StreamsOn.restored == 4
    assert not [event for event in told if isinstance(event, Warned)]


def test_a_checkpoint_from_before_there_was_such_a_state_still_loads(tmp_path: Path) -> None:
    spec = job_spec()
    run(spec, tmp_path, stop=StopAfter(4))
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    state = last_state(tmp_path)
    for key in ("own_state", "shared_state", "tests", "is_trained", "values"):
        del state[key]
    write_tensors(path, state)
    run(spec, tmp_path / "whole")
    assert run(spec, tmp_path, attempt=2) is not None
    assert_same_run(tmp_path / "whole", tmp_path)


def test_the_weights_of_another_trainer_are_refused(tmp_path: Path) -> None:
    gan = TRAININGS["two optimizers"]
    run(job_spec(*gan), tmp_path, stop=StopAfter(2))
    state = last_state(tmp_path)
    state["shared_state"]["self.average"]["tensors"]["places"][0][1] = [4, 16]
    write_tensors(max((tmp_path / "checkpoints").glob("*.pt")), state)
    with pytest.raises(CheckpointError, match=r"belongs to another job: .*size mismatch"):
        run(job_spec(*gan), tmp_path, attempt=2)
