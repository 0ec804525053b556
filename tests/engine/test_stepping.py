"""From a loss to a step: accumulation, clipping, warm-up, averaged weights, precision, too little memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import fusionq as tf
from fusionq.engine.stepping import Stepper
from fusionq.engine.stopping import StopToken
from fusionq.errors import HookError
from tests.engine.jobs import CPU, digits, needs_gpu, network, train


def trained(folder: Path, **more: Any) -> tf.StandardModel:
    """A training whose data come in a fixed order, from fixed first weights."""
    torch.manual_seed(11)
    model = more.pop("model", None) or network()
    trainer = more.pop("trainer", tf.StandardModel)(model)
    batch_size = more.pop("batch_size", 100)
    loader = DataLoader(digits(most=more.pop("most", 800)), batch_size=batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(trainer, folder, **{"train_loader": loader, "optimizer": optimizer, **more})
    return trainer


def weights(trainer: tf.BaseModel) -> torch.Tensor:
    return nn.utils.parameters_to_vector(trainer.model.parameters()).detach()


def close(one: tf.BaseModel, other: tf.BaseModel) -> bool:
    return torch.allclose(weights(one), weights(other), atol=1e-6)


# --- accumulation ------------------------------------------------------------------------------------------


def test_four_batches_make_the_step_of_one_four_times_as_large(tmp_path: Path) -> None:
    whole = trained(tmp_path, batch_size=200)
    parts = trained(tmp_path, batch_size=50, options=tf.StepOptions(accumulation=4))
    assert close(whole, parts)
    assert parts.stepper.steps == whole.stepper.steps == 4
    assert not close(whole, trained(tmp_path, batch_size=50))


def test_batches_that_are_left_over_make_a_step_of_their_own(tmp_path: Path) -> None:
    trainer = trained(
        tmp_path, batch_size=100, most=500, options=tf.StepOptions(accumulation=2), num_epochs=2
    )
    assert trainer.stepper.steps == 2 * 3
    assert trainer.stepper.is_between_steps


class Norms(tf.Callback):
    """Notes the gradients' norm at every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_start(self, training):
        training.optimizer.register_step_pre_hook(self._note)

    def _note(self, optimizer, *_):
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        self.seen.append(torch.cat(gradients).norm().item())


@pytest.mark.parametrize("trainer", [tf.StandardModel, "Optimizes"])
def test_any_batches_make_the_step_of_the_one_batch_that_they_are_together(
    trainer: Any, tmp_path: Path
) -> None:
    """80 samples in steps of 64: the last group is cut short, and is a mean over what is in it."""
    trainer = Optimizes if trainer == "Optimizes" else trainer

    def steps(batch_size: int, accumulation: int) -> tuple[tf.BaseModel, list[float]]:
        norms, options = Norms(), tf.StepOptions(accumulation=accumulation)
        more = {"trainer": trainer, "options": options, "callbacks": [norms]}
        return trained(tmp_path, most=80, batch_size=batch_size, **more), norms.seen

    for whole, parts in {
        (64, 1): [(16, 4), (32, 2), (8, 8), (1, 64)],
        (80, 1): [(16, 100), (30, 3)],  # 30, 30 and 20
    }.items():
        expected, norms = steps(*whole)
        for part in parts:
            trainer_in_parts, norms_in_parts = steps(*part)
            assert norms_in_parts == pytest.approx(norms, rel=1e-4)
            assert close(trainer_in_parts, expected)


def test_a_loss_over_something_else_than_samples_says_over_how_much(tmp_path: Path) -> None:
    """As a language model's, whose loss is a mean over the tokens that are no padding."""

    class Counts(tf.BaseModel):
        def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
            inputs, targets = data
            targets = targets.masked_fill(targets < 5, -100)
            loss = loss_fn(self.model(inputs), targets)
            counted = int((targets != -100).sum())
            self.optimize(loss, optimizer, samples=counted)
            running_loss.add_(loss, weight=counted)

    whole = trained(tmp_path, trainer=Counts, most=80, batch_size=80)
    parts = trained(tmp_path, trainer=Counts, most=80, batch_size=30, options=tf.StepOptions(accumulation=3))
    assert close(whole, parts)


def test_a_batch_that_counts_nothing_changes_no_step() -> None:
    """As one of padding alone."""

    def stepped(*counted: int) -> torch.Tensor:
        model = nn.Linear(2, 1, bias=False)
        nn.init.ones_(model.weight)
        stepper = Stepper(model, CPU, tf.StepOptions(accumulation=len(counted)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for samples in counted:
            stepper.optimize(model(torch.ones(4, 2)).square().mean() * bool(samples), optimizer, samples)
        return model.weight.detach()

    assert torch.allclose(stepped(0, 4), stepped(4))
    assert torch.allclose(stepped(4, 0), stepped(4))


def test_training_never_stops_within_a_group_of_batches(tmp_path: Path) -> None:
    token, seen = StopToken(), []

    class Stopping(tf.StandardModel):
        def on_batch_end(self, epoch, batch_num, *rest):
            seen.append(batch_num)
            token.request()

    trained(tmp_path, trainer=Stopping, stop=token, options=tf.StepOptions(accumulation=3))
    assert seen == [0, 1, 2]


# --- what hangs on the optimizer's step --------------------------------------------------------------------


class StepsItself(tf.BaseModel):
    """A trainer as the guide writes it."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        optimizer.zero_grad()
        loss = loss_fn(self.model(inputs), targets)
        loss.backward()
        optimizer.step()
        running_loss.add_(loss.cpu() * len(inputs))


class Optimizes(StepsItself):
    """The same with `self.optimize`."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        inputs, targets = data
        with self.autocast():
            loss = loss_fn(self.model(inputs), targets)
        self.optimize(loss, optimizer)
        running_loss.add_(loss * len(inputs))


@pytest.mark.parametrize("trainer", [tf.StandardModel, StepsItself, Optimizes])
def test_clipping_scales_the_gradients_down(trainer: type[tf.BaseModel], tmp_path: Path) -> None:
    torch.manual_seed(11)
    start = nn.utils.parameters_to_vector(network().parameters()).detach()
    clipped = trained(tmp_path, trainer=trainer, most=100, options=tf.StepOptions(clip_grad_norm=0.01))
    assert (weights(clipped) - start).norm().item() == pytest.approx(0.1 * 0.01, rel=1e-2)
    free = trained(tmp_path, trainer=trainer, most=100, options=tf.StepOptions(clip_grad_norm=1e6))
    assert (weights(free) - start).norm().item() > 0.01
    assert close(free, trained(tmp_path, trainer=trainer, most=100))


class Slope(nn.Module):
    """One weight whose gradient is always 1, so that a step of SGD shows the learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(len(inputs))


class Weights(tf.Callback):
    """Notes the weight of a Slope after every batch."""

    def __init__(self) -> None:
        self.seen = [0.0]

    def on_batch_end(self, training):
        self.seen.append(training.trainer.model.weight.item())

    @property
    def rates(self) -> list[float]:
        return [round(before - after, 9) for before, after in zip(self.seen, self.seen[1:], strict=False)]


def slope(folder: Path, trainer: type[tf.BaseModel], **more: Any) -> tuple[tf.BaseModel, Weights]:
    weights, model = Weights(), more.pop("model", None) or Slope()
    optimizer = more.pop("optimizer", None) or torch.optim.SGD(model.parameters(), lr=0.8)
    if (make_scheduler := more.pop("scheduler", None)) is not None:
        more |= {"lr_scheduler": make_scheduler(optimizer), "steps_lr_per_batch": True}
    arguments = {
        "optimizer": optimizer,
        "loss_fn": lambda outputs, targets: outputs.mean(),
        "most": 600,
        **more,
    }
    return trained(folder, model=model, trainer=trainer, callbacks=[weights], **arguments), weights


def halving(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.StepLR:
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


@pytest.mark.parametrize("trainer", [tf.StandardModel, StepsItself, Optimizes])
def test_warm_up_raises_the_rate_step_by_step_under_a_scheduler(trainer: Any, tmp_path: Path) -> None:
    _, weights = slope(tmp_path, trainer, scheduler=halving, options=tf.StepOptions(warmup_steps=4))
    plain = [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    assert weights.rates == pytest.approx([rate * min(1, (i + 1) / 4) for i, rate in enumerate(plain)])


def test_warm_up_counts_steps_not_batches(tmp_path: Path) -> None:
    options = tf.StepOptions(warmup_steps=2, accumulation=2)
    _, weights = slope(tmp_path, tf.StandardModel, options=options)
    assert weights.rates == pytest.approx([0, 0.4, 0, 0.8, 0, 0.8])


def test_the_average_of_the_weights_by_hand(tmp_path: Path) -> None:
    trainer, weights = slope(tmp_path, StepsItself, options=tf.StepOptions(ema_decay=0.75))
    average = weights.seen[1]  # the first step gives the first value
    for weight in weights.seen[2:]:
        average = 0.75 * average + 0.25 * weight
    assert trainer.stepper.average.module.weight.item() == pytest.approx(average)
    saved = torch.load(tmp_path / "all_models" / "model_1.pth", weights_only=True)
    assert saved["weight"].item() == pytest.approx(average)
    assert trainer.model.weight.item() == weights.seen[-1]


def test_the_average_is_what_is_tested(tmp_path: Path) -> None:
    seen = []

    class Testing(tf.StandardModel):
        def __eval_function__(self, data, metrics):
            assert not self.model.training
            seen.append(self.model.weight.item())

    trainer, _ = slope(
        tmp_path, Testing, test_loader=[(torch.ones(1), 0)], options=tf.StepOptions(ema_decay=0.9)
    )
    assert seen == [trainer.stepper.average.module.weight.item()]
    assert seen != [trainer.model.weight.item()]


def test_a_second_training_with_the_same_optimizer_counts_every_step_once(tmp_path: Path) -> None:
    model = Slope()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.8)
    clipped = tf.StepOptions(clip_grad_norm=0.5, warmup_steps=100, ema_decay=0.5)
    slope(tmp_path, tf.StandardModel, model=model, optimizer=optimizer, options=clipped)
    with torch.no_grad():
        model.weight.zero_()
    optimizer.param_groups[0]["lr"] = 0.8
    trainer, weights = slope(tmp_path, tf.StandardModel, model=model, optimizer=optimizer, scheduler=halving)
    assert weights.rates == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2])
    assert trainer.stepper.steps == 6


# --- precision ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("trainer", [tf.StandardModel, Optimizes])
def test_low_precision_computes_in_it_and_keeps_the_weights(
    precision: str, trainer: Any, tmp_path: Path
) -> None:
    dtypes = set()
    torch.manual_seed(11)
    model = network()
    model[1].register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    low = trained(tmp_path, model=model, trainer=trainer, options=tf.StepOptions(precision=precision))
    assert dtypes == {torch.bfloat16 if precision == "bf16" else torch.float16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.allclose(weights(low), weights(trained(tmp_path)), atol=0.02)


@pytest.mark.parametrize("options", [tf.StepOptions(precision="bf16"), tf.StepOptions(accumulation=2)])
def test_a_trainer_that_steps_itself_is_told_what_it_must_call(
    options: tf.StepOptions, tmp_path: Path
) -> None:
    with pytest.raises(HookError, match=r"StepsItself steps its optimizer itself; .*self\.optimize\(loss"):
        trained(tmp_path, trainer=StepsItself, options=options)


def test_a_trainer_that_steps_itself_is_left_alone_otherwise(tmp_path: Path) -> None:
    assert close(trained(tmp_path, trainer=StepsItself), trained(tmp_path))


# --- too little memory -------------------------------------------------------------------------------------


class Small(nn.Sequential):
    """A network that takes only so many samples at once."""

    room = 30

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training and len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(inputs)


def small(room: int) -> Small:
    torch.manual_seed(11)
    model = Small(*network())
    model.room = room
    return model


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_batch_that_does_not_fit_is_trained_on_in_parts(
    accumulation: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = tf.StepOptions(accumulation=accumulation)
    metrics = [tf.Accuracy(), tf.Accuracy()]
    in_parts = trained(tmp_path, model=small(30), most=750, train_metrics=metrics[:1], options=options)
    assert in_parts.stepper.parts == 4
    out = capsys.readouterr().out
    assert "WARNING: out of memory: batches of 100 now go in 2 parts" in out
    assert "batches of 100 now go in 4 parts" in out
    whole = trained(tmp_path, model=small(1000), most=750, train_metrics=metrics[1:], options=options)
    assert whole.stepper.parts == 1
    assert close(in_parts, whole)
    assert metrics[0].result() == metrics[1].result()


def test_a_sample_that_does_not_fit_is_the_end(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        trained(tmp_path, model=small(0))


def test_memory_that_runs_out_in_the_middle_of_a_group_is_not_hidden(tmp_path: Path) -> None:
    """The gradients of the batches before cannot be told from those of the half-made one."""
    model = small(1000)

    class Shrinking(tf.StandardModel):
        def on_batch_end(self, epoch, batch_num, *rest):
            model.room = 10

    with pytest.raises(torch.OutOfMemoryError):
        trained(tmp_path, model=model, trainer=Shrinking, options=tf.StepOptions(accumulation=2))


class TestOnAGpu:
    pytestmark = needs_gpu

    def test_a_step_does_not_wait_for_the_device(self, tmp_path: Path) -> None:
        device = torch.device("cuda")
        trainer = tf.StandardModel(network())
        inputs, targets = (part.to(device) for part in digits(most=640).tensors)
        optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)
        from fusionq.engine.accumulator import RunningLoss

        running_loss, metric = RunningLoss(), tf.Accuracy()
        trainer.__train_func__(
            (inputs, targets), optimizer, nn.CrossEntropyLoss(), [metric], running_loss, 1, 0
        )
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(3):
                trainer.__train_func__(
                    (inputs, targets), optimizer, nn.CrossEntropyLoss(), [metric], running_loss, 1, 0
                )
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert running_loss.total() > 0
