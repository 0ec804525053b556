"""The deep check: targets, arguments, kinds and what the metrics measure, without a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fusionq.engine import exporting
from fusionq.engine.checking import check_deeply
from fusionq.engine.randomness import random_state
from fusionq.spec.load import load_file
from fusionq.spec.verdict import Verdict
from tests.engine.jobs import job_spec, same
from tests.mnist import MNIST_ROOT

HERE = "tests.engine.checked"
JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.yaml"))


def check(*overrides: str, data_root: Path | None = None) -> Verdict:
    return check_deeply(job_spec(*overrides), Path.cwd(), data_root)


# Paths that the catalog does not know: a mistake with its own names is found before torch is loaded.
ADAM = "_target_: torch.optim.adam.Adam"
LINEAR = "_target_: torch.nn.modules.linear.Linear"
RELU = "_target_: torch.nn.modules.activation.ReLU"


def problem(*overrides: str) -> tuple[tuple, str]:
    """The one problem of a job."""
    verdict = check(*overrides)
    assert len(verdict.problems) == 1, verdict
    return verdict.problems[0]


def test_a_right_job_has_neither_problems_nor_notes():
    verdict = check()
    assert verdict.problems == []
    assert verdict.notes == []


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.stem)
def test_every_job_that_we_ship_passes(file: Path):
    for spec in [spec for loaded in load_file(file, workdir=file.parent) for spec in loaded.jobs]:
        verdict = check_deeply(spec, file.parent, MNIST_ROOT)
        assert verdict.problems == []
        is_taken = "from" in spec.model
        told = ["model: it is another job's; its shapes were not checked"] if is_taken else []
        assert verdict.notes == told


@pytest.mark.parametrize(
    ("override", "place", "words"),
    [
        (
            f"optimizer={{{ADAM}, lrr: 1}}",
            ("optimizer", "lrr"),
            "Adam takes no argument 'lrr'; did you mean 'lr'?",
        ),
        (
            f"optimizer={{{ADAM}, params: [1]}}",
            ("optimizer", "params"),
            "gets 'params' twice; the engine gives it",
        ),
        ("lr_scheduler=torch.optim.swa_utils.SWALR", ("lr_scheduler",), "SWALR needs the argument 'swa_lr'"),
        (
            f"model._args_.1={{{LINEAR}, in_features: 64}}",
            ("model", "_args_", 1),
            "model._args_.1: Linear needs the argument 'out_features'",
        ),
        (
            f"model._args_.1={{{LINEAR}, in_featurs: 64, out_features: 16}}",
            ("model", "_args_", 1, "in_featurs"),
            "did you mean 'in_features'?",
        ),
        (f"model._args_.2={{{RELU}, _args_: [true, 1]}}", ("model", "_args_", 2, "_args_"), "takes 1"),
        (
            "data.train={_target_: fusionq.engine.Digits, sise: 8}",
            ("data", "train", "sise"),
            "Digits takes no argument 'sise'; did you mean 'size'",
        ),
        ("loss={_target_: no_such_module.Loss}", ("loss",), "there is no module 'no_such_module'"),
        (f"loss={{_target_: {HERE}.OwnLos}}", ("loss",), "has no 'OwnLos'; did you mean 'OwnLoss'?"),
        (f"loss={{_target_: {HERE}.NOT_CALLABLE}}", ("loss",), "a value of type int, which cannot be called"),
        ("loss={_target_: torch.nn}", ("loss",), "torch.nn is a module"),
        ("loss={_target_: torch.nn.functional.cross_entropy}", ("loss",), "needs the arguments 'input'"),
        (f"optimizer={{{RELU}}}", ("optimizer",), "ReLU is not a torch.optim.Optimizer"),
        ("optimizer.lr=-1", ("optimizer",), "Adam: ValueError: Invalid learning rate: -1"),
        (f"trainer={{{RELU}}}", ("trainer",), "is not a class that extends fusionq.BaseModel"),
        (f"trainer={{_target_: {HERE}.NoHooks}}", ("trainer",), "NoHooks must define __train_func__"),
        (f"callbacks=[{{{RELU}}}]", ("callbacks", 0), "does not extend fusionq.Callback"),
        (f"metrics.test=[{{{RELU}}}]", ("metrics", "test", 0), "neither a fusionq.Metric nor"),
        ("metrics.test=[{_target_: Accuracy, topK: 0}]", ("metrics", "test", 0), "classes from 1, not 0"),
        ("checkpoint.monitor=test_top1", ("checkpoint", "monitor"), "this job has test_accuracy, test_loss"),
        ("data.collate_fn=torch.nn", ("data", "collate_fn"), "torch.nn is not a function"),
        ("data.train={_target_: tests.engine.checked.Stream}", ("data", "train"), "Stream yields no sample"),
        (
            "data.train={_target_: argparse.Namespace}",
            ("data", "train"),
            "Namespace is no data set: it needs",
        ),
        (
            "data.transform=[{_target_: torch.nn.init.zeros_}]",
            ("data", "transform", 0),
            "the argument 'tensor'",
        ),
        (
            "data.transform.0={_target_: torchvision.transforms.Normalize, mean: [1]}",
            ("data", "transform", 0),
            "the argument 'std'",
        ),
        ("model={_target_: torch.zeros, _args_: [3]}", ("model",), "Tensor is not a torch.nn.Module"),
        (
            "model._args_.1={_target_: Conv2d, in_channels: 3, out_channels: 4, kernel_size: 1, groups: 2}",
            ("model", "_args_", 1),
            "Conv2d: ValueError: in_channels must be divisible by groups",
        ),
        (f"model={{_target_: {HERE}.Exits}}", ("model",), "Exits: SystemExit: 3"),
    ],
)
def test_a_mistake_is_told_at_its_place(override: str, place: tuple, words: str):
    found, message = problem(override)
    assert found == place
    assert words in message
    assert "\n" not in message


def test_all_mistakes_are_told_at_once():
    wrong = (f"optimizer={{{ADAM}, lrr: 1}}", "callbacks=[{_target_: a.b}]", "model._args_.1.in_features=9")
    places = {place for place, _ in check(*wrong).problems}
    assert places == {("callbacks", 0), ("optimizer", "lrr"), ("model", "_args_", 1)}


def test_a_form_of_export_whose_package_is_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(exporting._NEEDS, "onnx", ("no_such_package",))
    assert problem("export=[onnx]") == (
        ("export",),
        "export: onnx needs no_such_package; pip install no_such_package",
    )


def test_a_metric_of_torchmetrics_may_have_a_name():
    pytest.importorskip("torchmetrics")
    metric = "{_target_: torchmetrics.classification.MulticlassAccuracy, num_classes: 10, name: mine}"
    assert check(f"metrics.test=[{metric}]", "checkpoint.monitor=test_mine").problems == []


def test_our_own_metrics_look_at_the_outputs():
    place, message = problem("metrics.test=[{_target_: MSE}]")
    assert place == ("metrics", "test", 0)
    assert "one shape; it got (144, 10) and (144,)" in message


@pytest.mark.parametrize("task", ["evaluate", "predict"])
def test_the_model_of_another_job_is_left_alone(task: str):
    verdict = check(f"task={task}", "model={from: other}")
    assert verdict == Verdict(notes=["model: it is another job's; its shapes were not checked"])


def test_nothing_that_a_constructor_changes_is_seen_outside():
    before = random_state()
    check(f"model._args_.1={{_target_: {HERE}.Restless}}", "data.augment=[{_target_: RandomHorizontalFlip}]")
    assert same(before, random_state())
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_default_device() == torch.device("cpu")
    assert torch.is_grad_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_it_says_nothing_itself(capfd: pytest.CaptureFixture[str]):
    check("model._args_.1.in_features=9")
    check("loss={_target_: BCEWithLogitsLoss}")
    assert capfd.readouterr() == ("", "")


def test_a_verdict_is_plain_data():
    verdict = check(f"optimizer={{{ADAM}, lrr: 1}}")
    assert Verdict.from_data(json.loads(json.dumps(verdict.to_data()))) == verdict
