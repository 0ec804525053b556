"""The deep check: what optimizers, schedulers and the metrics of torchmetrics make of a job's own forms."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from tests.engine.test_checking import HERE, check, problem

WORDS = (
    f"data={{train: {{_target_: {HERE}.sentences}}, batch_size: 16}}",
    f"model={{_target_: {HERE}.Words}}",
    "metrics.test=[]",
)
ONE_CYCLE = "lr_scheduler={_target_: OneCycleLR, max_lr: 0.1, total_steps: 3}"


def test_an_optimizer_that_needs_a_closure_needs_a_trainer_that_gives_it():
    place, message = problem("optimizer={_target_: LBFGS}")
    assert place == ("optimizer",)
    assert "LBFGS needs a closure, which StandardModel does not give" in message
    assert check("optimizer={_target_: LBFGS}", f"trainer={{_target_: {HERE}.OwnTrainer}}").problems == []


@pytest.mark.parametrize(("form", "word"), [("tuple", "a tuple"), ("dict", "a dict")])
def test_a_loss_of_torch_takes_a_tensor(form: str, word: str):
    pair = f"model._args_=[{{_target_: fusionq.Flatten}}, {{_target_: {HERE}.Pair, form: {form}}}]"
    place, message = problem(pair, "metrics.test=[]", "metrics.train=[]")
    assert place == ("model",)
    assert f"it gives {word}, and CrossEntropyLoss takes a tensor" in message
    assert "write a trainer" in message


def test_an_optimizer_that_takes_no_sparse_gradients_is_told():
    place, message = problem(*WORDS)
    assert place == ("optimizer",)
    assert "Adam does not support sparse gradients" in message
    assert "come from words" in message
    assert "dense gradients" in problem(*WORDS, "optimizer={_target_: SparseAdam}")[1]
    assert "weight_decay" in problem(*WORDS, "optimizer={_target_: Adagrad, weight_decay: 0.1}")[1]
    for name in ("SGD", "Adagrad"):
        assert check(*WORDS, f"optimizer={{_target_: {name}, lr: 0.1}}").problems == []
    alone = f"model={{_target_: {HERE}.Words, deep: false}}"
    assert check(*WORDS, alone, "optimizer={_target_: SparseAdam}").problems == []


def test_a_schedule_that_is_too_short_is_told():
    place, message = problem(ONE_CYCLE, "train.epochs=4")
    assert place == ("lr_scheduler",)
    assert message.endswith("OneCycleLR: it has 3 steps in all; the job steps it 4 times, once an epoch")
    assert check(ONE_CYCLE, "train.epochs=3").problems == []
    assert check(ONE_CYCLE, "train.epochs=4", "train.early_stopping=1").problems == []


def test_a_schedule_that_steps_with_batches_is_counted_where_the_data_is_known():
    data = f"data={{train: {{_target_: {HERE}.Drawing}}, batch_size: 100}}"
    flat = "model._args_=[{_target_: Linear, in_features: 64, out_features: 10}]"
    by_batch = (data, flat, "train.lr_interval=step", "metrics.test=[]")
    assert "steps it 6 times or more" in problem(*by_batch, ONE_CYCLE)[1]
    sampler = "data.sampler={_target_: RandomSampler, num_samples: 120}"
    assert check(*by_batch, ONE_CYCLE, sampler).problems == [], "the sampler alone knows how many"
    assert check(*by_batch, "lr_scheduler={_target_: OneCycleLR, max_lr: 0.1, total_steps: 6}").problems == []
    with pytest.raises(SpecError, match=r"train\.lr_interval: step needs another scheduler"):
        check(*by_batch, "lr_scheduler=ReduceLROnPlateau")


def test_a_schedule_of_schedules_gets_the_optimizer():
    inner = "{_target_: LinearLR}, {_target_: CosineAnnealingLR, T_max: 3}"
    right = f"lr_scheduler={{_target_: SequentialLR, schedulers: [{inner}], milestones: [1]}}"
    assert check(right).problems == []
    assert check(f"lr_scheduler={{_target_: ChainedScheduler, schedulers: [{inner}]}}").problems == []
    plateau = "lr_scheduler={_target_: ChainedScheduler, schedulers: [{_target_: ReduceLROnPlateau}]}"
    assert "does not support `ReduceLROnPlateau`" in problem(plateau)[1]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("classification.MulticlassConfusionMatrix, num_classes: 10", "its result must be one number"),
        (
            "classification.MulticlassAccuracy, num_classes: 10, average: none",
            "a tensor of shape (10,)",
        ),
        ("classification.MulticlassAccuracy, num_classes: 9", "should be equal to number of classes"),
        ("MeanSquaredError", "the same shape"),
        (
            "MetricCollection, metrics: [{_target_: torchmetrics.MeanSquaredError}]",
            "a MetricCollection is several metrics; list each of them by itself",
        ),
    ],
)
def test_a_metric_of_torchmetrics_takes_in_the_forms_of_the_job(metric: str, words: str):
    pytest.importorskip("torchmetrics")
    place, message = problem(f"metrics.test=[{{_target_: torchmetrics.{metric}}}]", "metrics.train=[]")
    assert place == ("metrics", "test", 0)
    assert words in message


@pytest.mark.parametrize("name", ["MulticlassAccuracy", "MulticlassAUROC", "MulticlassF1Score"])
def test_a_metric_of_torchmetrics_that_fits_passes(name: str):
    pytest.importorskip("torchmetrics")
    block = f"{{_target_: torchmetrics.classification.{name}, num_classes: 10}}"
    assert check(f"metrics.test=[{block}]", f"metrics.train=[{block}]").problems == []
