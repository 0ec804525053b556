"""The hooks of a trainer: the three that it must define, their two spellings, and those that it may."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import fusionq as tf
from fusionq.engine.checking import check_deeply
from fusionq.errors import HookError
from tests.engine.jobs import assert_same_run, digits, job_spec, loader, network, run, run_with_stops, train


class OldSpelling(tf.StandardModel):
    """Spells two hooks as the guide's text does."""

    def __eval_func__(self, data: Any, metrics: Any) -> None:
        self.evaluated = getattr(self, "evaluated", 0) + 1

    def __predict_function__(self, inputs: Any) -> Any:
        return inputs.flatten(1) + 1


class NewSpelling(tf.StandardModel):
    """Spells them as the guide's code does."""

    def __eval_function__(self, data: Any, metrics: Any) -> None:
        self.evaluated = getattr(self, "evaluated", 0) + 1

    def __predict_func__(self, inputs: Any) -> Any:
        return inputs.flatten(1) + 1


@pytest.mark.parametrize("trainer_class", [OldSpelling, NewSpelling])
def test_both_spellings_of_a_hook_are_heard(trainer_class: type[tf.StandardModel], tmp_path: Path) -> None:
    trainer = trainer_class(network())
    train(trainer, tmp_path, test_loader=loader(train=False))
    trainer.evaluate(loader(train=False), [])
    assert trainer.evaluated == 6  # three batches, twice
    inputs = digits(most=4).tensors[0]
    assert torch.equal(trainer.predict(inputs), inputs.flatten(1) + 1)


def test_the_last_spelling_in_a_line_of_classes_wins() -> None:
    class Child(OldSpelling):
        def __predict_func__(self, inputs: Any) -> Any:
            return inputs.flatten(1) + 2

    class Grandchild(Child):
        def __predict_function__(self, inputs: Any) -> Any:
            return super().__predict_function__(inputs) * 10

    inputs = torch.zeros(1, 1, 8, 8)
    assert Child(network()).predict(inputs).unique().item() == 2
    assert Grandchild(network()).predict(inputs).unique().item() == 20


def test_a_parents_hook_answers_to_both_spellings() -> None:
    class Mine(tf.StandardModel):
        def __predict_function__(self, inputs: Any) -> Any:
            return super().__predict_function__(inputs) * 0

    assert Mine(network()).predict(torch.zeros(1, 1, 8, 8)).eq(0).all()


@pytest.mark.parametrize(
    ("one", "other"), [("__eval_func__", "__eval_function__"), ("__predict_function__", "__predict_func__")]
)
def test_both_spellings_in_one_class_are_an_error(one: str, other: str) -> None:
    with pytest.raises(HookError, match=f"Both defines both {one} and {other}; they are one hook, keep one"):
        type("Both", (tf.StandardModel,), {one: lambda *_: None, other: lambda *_: None})


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda trainer, folder: train(trainer, folder), "__train_func__"),
        (lambda trainer, folder: trainer.evaluate(loader(), []), "__eval_function__"),
        (lambda trainer, folder: trainer.predict(torch.zeros(1, 1, 8, 8)), "__predict_func__"),
    ],
)
def test_a_hook_that_is_not_defined_is_named(use: Any, name: str, tmp_path: Path) -> None:
    class Bare(tf.BaseModel):
        pass

    with pytest.raises(HookError, match=f"Bare must define {name}"):
        use(Bare(network()), tmp_path)


def test_the_train_hook_counts_epochs_from_one_and_batches_from_zero(tmp_path: Path) -> None:
    seen = []

    class Noting(tf.StandardModel):
        def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
            seen.append((epoch, batch_num, len(train_metrics)))
            super().__train_func__(data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num)

    train(
        Noting(network()),
        tmp_path,
        train_loader=loader(most=300),
        num_epochs=2,
        train_metrics=[tf.Accuracy()],
    )
    assert seen == [(1, 0, 1), (1, 1, 1), (1, 2, 1), (2, 0, 1), (2, 1, 1), (2, 2, 1)]


def test_input_hooks_change_what_training_sees_in_their_order(tmp_path: Path) -> None:
    seen = []

    class Looking(tf.StandardModel):
        def __train_func__(self, data, *rest):
            seen.append(data[0].unique().tolist())
            super().__train_func__(data, *rest)

    trainer = Looking(network())
    trainer.add_input_hook(lambda inputs: inputs * 0 + 2)
    trainer.add_input_hook(lambda inputs: inputs + 1)
    train(trainer, tmp_path, train_loader=loader(most=200))
    assert seen == [[3.0], [3.0]]
    assert trainer.predict(torch.zeros(1, 1, 8, 8)).shape == (1, 10), "prediction is not hooked"


def test_a_trainer_is_told_what_happens(tmp_path: Path) -> None:
    calls = []

    class Told(tf.StandardModel):
        def on_epoch_start(self, epoch):
            calls.append(("epoch_start", epoch))

        def on_epoch_end(self, epoch, train_metrics, test_metrics, train_loss, duration):
            values = [metric.getValue() for metric in (*train_metrics, *test_metrics)]
            assert all(0 < value <= 1 for value in values)
            assert train_loss > 0
            assert duration > 0
            calls.append(("epoch_end", epoch, len(train_metrics), len(test_metrics)))

        def on_batch_start(self, epoch, batch_num):
            calls.append(("batch_start", epoch, batch_num))

        def on_batch_end(self, epoch, batch_num, train_metrics, train_loss):
            assert train_loss > 0
            calls.append(("batch_end", epoch, batch_num, len(train_metrics)))

        def on_training_completed(self, train_metrics, test_metrics, train_duration):
            assert train_duration > 0
            calls.append(("completed", len(train_metrics), len(test_metrics)))

    trainer = Told(network())
    tests = {"test_loader": loader(train=False), "test_metrics": [tf.Accuracy(), tf.Accuracy(topK=2)]}
    train(
        trainer,
        tmp_path,
        train_loader=loader(most=200),
        num_epochs=2,
        train_metrics=[tf.Accuracy()],
        **tests,
    )
    expected = []
    for epoch in (1, 2):
        expected.append(("epoch_start", epoch))
        for batch in (0, 1):
            expected += [("batch_start", epoch, batch), ("batch_end", epoch, batch, 1)]
        expected.append(("epoch_end", epoch, 1, 2))
    assert calls == [*expected, ("completed", 1, 2)]


def test_the_loss_at_a_batchs_end_is_the_mean_over_the_samples_so_far(tmp_path: Path) -> None:
    losses, means = [], []

    class Noting(tf.StandardModel):
        def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
            inputs, targets = data
            loss = loss_fn(self.model(inputs), targets)
            losses.append((loss.item(), len(inputs)))
            running_loss.add_(loss * len(inputs))

        def on_batch_end(self, epoch, batch_num, train_metrics, train_loss):
            means.append(train_loss)

    train(Noting(network()), tmp_path, train_loader=loader(most=200))
    (first, n), (second, m) = losses
    assert (n, m) == (144, 56)
    assert means == pytest.approx([first, (first * n + second * m) / 200])


NEITHER = ("loss=null", "optimizer=null", "train.epochs=2", "metrics.train=[]")


def test_a_job_may_leave_loss_and_optimizer_to_its_trainer(tmp_path: Path) -> None:
    spec = job_spec("trainer=tests.engine.checked.OwnWay", *NEITHER)
    assert check_deeply(spec, tmp_path, None).problems == []
    values = run(spec, tmp_path / "whole")["values"]
    assert values["train_loss"] < 2.3
    run_with_stops(spec, tmp_path / "stopped", [5])
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("key", ["loss", "optimizer"])
def test_what_the_job_does_not_have_is_told_when_it_is_asked_for(key: str, tmp_path: Path) -> None:
    block = f"trainer={{_target_: tests.engine.checked.OwnWay, ask_for: {key}}}"
    with pytest.raises(HookError, match=f"this job has no {key}; give the key"):
        run(job_spec(block, *NEITHER), tmp_path)
    problems = check_deeply(job_spec("trainer=tests.engine.checked.Quiet", *NEITHER), tmp_path, None).problems
    assert ((key,), f"{key}: the key {key!r} is missing; Quiet trains as StandardModel") in problems


# --- the loss over its samples ---------------------------------------------------------------------------


class Ones(tf.BaseModel):
    """Its loss is 1 for every sample, and it says so in one of two ways."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        loss = self.model.weight.sum() * 0 + 1
        self.optimize(loss, optimizer)
        if isinstance(data, tuple | list | dict):
            running_loss.add_(loss * 4)
        else:
            running_loss.add_(loss, weight=4)


IMAGES = (tuple(torch.ones(3, 5) for _ in range(4)), tuple({"boxes": torch.ones(2, 4)} for _ in range(4)))


@pytest.mark.parametrize("batch", [IMAGES, (7, torch.ones(4, 2)), {"text": ["a"] * 4}, "says nothing"])
def test_the_loss_is_a_mean_over_the_samples_of_any_batch(batch: Any, tmp_path: Path) -> None:
    history = train(Ones(nn.Linear(2, 1)), tmp_path, train_loader=[batch] * 3)
    assert history.rows[0]["train_loss"] == 1.0


def test_a_batch_whose_samples_nobody_counts_is_told_how(tmp_path: Path) -> None:
    class Silent(Ones):
        def __train_func__(self, data, *rest):
            super().__train_func__([data], *rest)

    with pytest.raises(HookError, match=r"say it: running_loss\.add_\(loss, weight=number_of_samples\)"):
        train(Silent(nn.Linear(2, 1)), tmp_path, train_loader=["says nothing"])


# --- the loss on data to test on --------------------------------------------------------------------------


class Measures(tf.StandardModel):
    """An eval hook of its own that measures the loss."""

    def __eval_function__(self, data, metrics, loss_fn, running_loss):
        inputs, targets = data
        running_loss.add_(loss_fn(self.model(inputs), targets) * len(inputs))


class AsInTheGuide(tf.StandardModel):
    def __eval_function__(self, data, metrics):
        for metric in metrics:
            metric.update(self.model(data[0]), data[1])


@pytest.mark.parametrize("trainer", [tf.StandardModel, Measures])
def test_the_loss_is_measured_on_validation_and_test_data(trainer: Any, tmp_path: Path) -> None:
    model = trainer(network())
    loaders = {"val_loader": loader(train=False, most=100), "test_loader": loader(train=False)}
    history = train(model, tmp_path, num_epochs=2, **loaders)
    assert set(history.rows[0]) == {"epoch", "train_loss", "val_loss", "test_loss", "lr"}
    loss = nn.functional.cross_entropy(
        model.predict(loader(train=False)), torch.cat([targets for _, targets in loader(train=False)])
    )
    assert history.rows[-1]["test_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert model.evaluate(loader(train=False), [], nn.CrossEntropyLoss())["loss"] == pytest.approx(
        loss.item(), rel=1e-5
    )


def test_an_eval_hook_as_in_the_guide_measures_no_loss(tmp_path: Path) -> None:
    more = {"test_loader": loader(train=False), "test_metrics": [tf.Accuracy()]}
    history = train(AsInTheGuide(network()), tmp_path, **more)
    assert set(history.rows[0]) == {"epoch", "train_loss", "test_accuracy", "lr"}


def test_targets_that_the_loss_cannot_take_end_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, *unknown = loader(train=False, most=300)
    partly = [known, *((inputs, targets - 20) for inputs, targets in unknown)]
    trainer = tf.StandardModel(network())
    history = train(trainer, tmp_path, num_epochs=2, test_loader=partly)
    assert all(math.isnan(row["test_loss"]) for row in history.rows), "not a mean over those that it can take"
    assert math.isnan(trainer.evaluate(partly, [], nn.CrossEntropyLoss())["loss"])
    assert capsys.readouterr().out.count("WARNING: the loss cannot be measured on the data to test on") == 1


def test_the_learning_rate_of_each_epoch_is_kept(tmp_path: Path) -> None:
    model = tf.StandardModel(network())
    layers = [{"params": model.model[1].parameters(), "lr": 0.2}, {"params": model.model[3].parameters()}]
    optimizer = torch.optim.SGD(layers, lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    history = train(model, tmp_path, optimizer=optimizer, lr_scheduler=scheduler, num_epochs=2)
    assert [(row["lr/0"], row["lr/1"]) for row in history.rows] == [(0.2, 0.1), (0.1, 0.05)]


def test_the_learning_rate_is_the_warmed_one(tmp_path: Path) -> None:
    model = tf.StandardModel(network())
    options = tf.StepOptions(warmup_steps=20)
    history = train(model, tmp_path, num_epochs=3, options=options)
    assert [row["lr"] for row in history.rows] == pytest.approx([0.05, 0.1, 0.1])


class Samples(tf.StandardModel):
    """Writes something to look at after each epoch."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.at_first = self.run_dir

    def on_epoch_end(self, epoch, train_metrics, test_metrics, train_loss, duration):
        (self.run_dir / f"sample-{epoch}.txt").write_text(f"{train_loss}")


def test_a_trainer_knows_the_folder_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSIONQ_RUN_DIR", str(tmp_path))
    assert Samples(network()).at_first == tmp_path
    monkeypatch.delenv("FUSIONQ_RUN_DIR")
    trainer = Samples(network())
    assert trainer.run_dir == Path()
    train(trainer, tmp_path / "new" / "script")
    assert trainer.run_dir == tmp_path / "new" / "script"
    run(job_spec(f"trainer={__name__}.Samples"), tmp_path / "job")
    for folder in ("new/script", "job"):
        assert (tmp_path / folder / "sample-1.txt").exists(), folder
