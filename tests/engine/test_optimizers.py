"""The optimizer and the scheduler of a job."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

import fusionq as tf
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.optimizers import build_lr_scheduler, build_optimizer, step_lr_scheduler
from fusionq.errors import SpecError, TargetError
from fusionq.spec.events import Warned
from fusionq.spec.targets import TARGET
from tests.engine.jobs import (
    BATCHES,
    assert_same_run,
    job_spec,
    last_state,
    network,
    run,
    run_with_stops,
    same,
    train,
)


def parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(3, dtype=dtype))]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_an_optimizer_is_fused_where_it_can_be(name: str) -> None:
    optimizer = build_optimizer({TARGET: f"torch.optim.{name}", "lr": 0.1}, parameters())
    assert optimizer.param_groups[0]["fused"] is True
    assert optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("own", [{"fused": False}, {"foreach": True}])
def test_the_jobs_own_choice_stands(own: dict[str, bool]) -> None:
    optimizer = build_optimizer({TARGET: "torch.optim.Adam", "lr": 0.1, **own}, parameters())
    assert {key: optimizer.param_groups[0][key] for key in own} == own
    assert not optimizer.param_groups[0]["fused"]


@pytest.mark.parametrize(
    ("block", "dtype"),
    [
        ({TARGET: "torch.optim.Rprop"}, torch.float32),
        ({TARGET: "torch.optim.Adam"}, torch.complex64),
        ({TARGET: "torch.optim.Adam", "differentiable": True}, torch.float32),
    ],
)
def test_what_cannot_be_fused_is_built_plainly(block: dict[str, object], dtype: torch.dtype) -> None:
    optimizer = build_optimizer(block, parameters(dtype))
    assert not optimizer.param_groups[0].get("fused")


def test_a_wrong_argument_is_said_as_it_is_without_fusing() -> None:
    with pytest.raises(TargetError, match=r"optimizer: Adam: ValueError: Invalid learning rate: -1"):
        build_optimizer({TARGET: "torch.optim.Adam", "lr": -1}, parameters())


def test_a_scheduler_is_optional() -> None:
    optimizer = build_optimizer({TARGET: "torch.optim.SGD", "lr": 0.1}, parameters())
    assert build_lr_scheduler(None, optimizer) is None
    scheduler = build_lr_scheduler({TARGET: "torch.optim.lr_scheduler.StepLR", "step_size": 1}, optimizer)
    optimizer.step()
    step_lr_scheduler(scheduler, 1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


RATES: list[tuple[int, float]] = []


class NoteRates(Callback):
    def on_epoch_end(self, training, event):
        RATES.append((training.epoch, training.optimizer.param_groups[0]["lr"]))


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        ("{_target_: StepLR, step_size: 2, gamma: 0.5}", [0.08, 0.04, 0.04, 0.02]),
        ("{_target_: MultiStepLR, milestones: [1, 3], gamma: 0.5}", [0.04, 0.04, 0.02, 0.02]),
        # A patience of 0 and a demand that no epoch meets: a cut after every epoch but the first.
        (
            "{_target_: ReduceLROnPlateau, mode: max, patience: 0, factor: 0.5, threshold: 100.0}",
            [0.08, 0.04, 0.02, 0.01],
        ),
    ],
)
def test_a_scheduler_steps_after_every_epoch(scheduler: str, rates: list[float], tmp_path) -> None:
    RATES.clear()
    run(
        job_spec(
            f"lr_scheduler={scheduler}",
            "optimizer={_target_: SGD, lr: 0.08}",
            "train.epochs=4",
            f"callbacks=[{{_target_: {__name__}.NoteRates}}]",
        ),
        tmp_path,
    )
    assert [(epoch, pytest.approx(rate)) for epoch, rate in enumerate(rates, 1)] == RATES


PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau"


def test_a_fused_optimizer_steps_with_hooks_of_others() -> None:
    weights, seen = parameters(), []
    optimizer = build_optimizer({TARGET: "torch.optim.SGD", "lr": 0.1}, weights)
    optimizer.register_step_pre_hook(lambda *_: seen.append("hook"))
    for _ in range(2):
        weights[0].grad = torch.ones(3)
        optimizer.step()
    assert seen == ["hook", "hook"]
    assert weights[0].tolist() == pytest.approx([-0.2] * 3)


def test_a_scheduler_that_watches_follows_the_mode_of_the_monitored_value() -> None:
    optimizer = build_optimizer({TARGET: "torch.optim.SGD", "lr": 0.1}, parameters())
    assert build_lr_scheduler({TARGET: PLATEAU}, optimizer, "max").mode == "max"
    assert build_lr_scheduler({TARGET: PLATEAU, "mode": "min"}, optimizer, "max").mode == "min"
    assert build_lr_scheduler({TARGET: PLATEAU, "_args_": ["min"]}, optimizer, "max").mode == "min"


def test_a_mode_that_contradicts_the_monitored_value_is_told(tmp_path) -> None:
    events = []
    spec = job_spec("lr_scheduler={_target_: ReduceLROnPlateau, mode: min}", "train.epochs=1")
    run(spec, tmp_path, report=events.append)
    (warning,) = (event.text for event in events if isinstance(event, Warned))
    assert (
        "mode 'min', but of test_accuracy the largest value is the best; leave lr_scheduler.mode" in warning
    )


def test_a_scheduler_that_watches_cannot_step_per_batch(tmp_path) -> None:
    with pytest.raises(SpecError, match=r"train\.lr_interval: step needs another scheduler"):
        job_spec("lr_scheduler=ReduceLROnPlateau", "train.lr_interval=step")
    model = tf.StandardModel(network())
    optimizer = torch.optim.SGD(model.model.parameters(), lr=0.1)
    plateau = ReduceLROnPlateau(optimizer)
    with pytest.raises(TargetError, match=r"train\.lr_interval: step needs another scheduler"):
        train(model, tmp_path, optimizer=optimizer, lr_scheduler=plateau, steps_lr_per_batch=True)


def test_a_scheduler_that_watches_gets_the_monitored_value(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(ReduceLROnPlateau, "step", lambda self, value, epoch=None: seen.append(value))
    result = run(
        job_spec(
            "lr_scheduler={_target_: ReduceLROnPlateau}", "checkpoint.monitor=train_loss", "train.epochs=1"
        ),
        tmp_path,
    )
    assert seen == [result["values"]["train_loss"]]


LINEAR = "{_target_: LinearLR, total_iters: 2}"
SEQUENCE = (
    f"{{_target_: SequentialLR, schedulers: [{LINEAR}, {{_target_: StepLR, step_size: 1}}], milestones: [2]}}"
)
HALVES = "{_target_: ExponentialLR, gamma: 0.5}"
CHAIN = f"{{_target_: ChainedScheduler, schedulers: [{{_target_: StepLR, _args_: [2]}}, {HALVES}]}}"


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [(SEQUENCE, [0.04, 0.06, 0.006, 0.0006]), (CHAIN, [0.04, 0.002, 0.001, 0.00005])],
)
def test_a_schedule_of_schedules_steps_them(scheduler: str, rates: list[float], tmp_path) -> None:
    RATES.clear()
    rate = 0.08 if scheduler is CHAIN else 0.06
    spec = job_spec(
        f"lr_scheduler={scheduler}",
        f"optimizer={{_target_: SGD, lr: {rate}}}",
        "train.epochs=4",
        f"callbacks=[{{_target_: {__name__}.NoteRates}}]",
    )
    run(spec, tmp_path)
    assert [(epoch, pytest.approx(rate)) for epoch, rate in enumerate(rates, 1)] == RATES


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_a_schedule_of_schedules_goes_on_exactly(interval: str, tmp_path) -> None:
    spec = job_spec(f"lr_scheduler={SEQUENCE}", f"train.lr_interval={interval}", "train.epochs=3")
    run(spec, tmp_path / "whole")
    run_with_stops(spec, tmp_path / "stopped", [BATCHES // 2, BATCHES + 5])
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("model", ["Words, deep: true", "Words, deep: false", "FunctionalWords"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad"])
def test_sparse_gradients_train_as_without_fusing(model: str, optimizer: str, tmp_path) -> None:
    words = "tests.engine.checked"
    spec = [
        f"data={{train: {{_target_: {words}.sentences}}, batch_size: 16}}",
        f"model={{_target_: {words}.{model}}}",
        f"optimizer={{_target_: {optimizer}, lr: 0.1}}",
        "metrics={}",
    ]
    run(job_spec(*spec), tmp_path / "ours")
    run(job_spec(*spec, "optimizer.fused=false"), tmp_path / "plain")
    ours, plain = (last_state(tmp_path / name)["model"] for name in ("ours", "plain"))
    assert same(ours, plain)
