"""`_target_` blocks: their one canonical form, and what is said of a wrong name."""

from __future__ import annotations

import pytest

from tests.spec.resolving import mistakes, resolved


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("trainer: StandardModel", "fusionq.StandardModel"),
        ("model: ReLU", "torch.nn.ReLU"),
        ("model: Flatten", "torch.nn.Flatten"),
        ("model: resnet18", "torchvision.models.resnet18"),
        ("loss: CrossEntropyLoss", "torch.nn.CrossEntropyLoss"),
        ("optimizer: Adam", "torch.optim.Adam"),
        ("lr_scheduler: LinearLR", "torch.optim.lr_scheduler.LinearLR"),
    ],
)
def test_a_short_name_is_looked_up_where_its_section_implies(text, target):
    ((_, block),) = resolved(text).items()
    assert block == {"_target_": target}


def test_data_transforms_and_metrics_have_places_of_their_own():
    data = resolved(
        "data: {train: FakeData, test: Digits, transform: [ToTensor]}\nmetrics: {test: [Accuracy]}"
    )
    assert data["data"] == {
        "train": {"_target_": "torchvision.datasets.FakeData"},
        "test": {"_target_": "fusionq.Digits"},
        "transform": [{"_target_": "torchvision.transforms.v2.ToTensor"}],
    }
    assert data["metrics"] == {"test": [{"_target_": "fusionq.Accuracy"}]}


@pytest.mark.parametrize(
    "block",
    [
        "{_target_: Linear, in_features: 2, out_features: 1}",
        "{_component_: Linear, in_features: 2, out_features: 1}",
        "{class_path: Linear, in_features: 2, out_features: 1}",
        "{class_path: torch.nn.Linear, init_args: {in_features: 2, out_features: 1}}",
    ],
)
def test_every_synonym_has_the_same_canonical_form(block):
    linear = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
    assert resolved(f"model: {block}") == {"model": linear}


def test_blocks_within_blocks_are_resolved_in_lists_arguments_and_plain_blocks():
    data = resolved(
        "model:\n"
        "  _target_: Sequential\n"
        "  _args_: [{_target_: Linear, _args_: [2, 1]}, [{_component_: ReLU}]]\n"
        "data: {train: {_target_: my_package.Set, extra: {deeper: {class_path: Digits}}}}\n"
    )
    assert data["model"] == {
        "_target_": "torch.nn.Sequential",
        "_args_": [{"_target_": "torch.nn.Linear", "_args_": [2, 1]}, [{"_target_": "torch.nn.ReLU"}]],
    }
    assert data["data"]["train"]["extra"] == {"deeper": {"_target_": "fusionq.Digits"}}


def test_positional_arguments_are_there_only_when_they_have_values():
    assert resolved("model: {_target_: ReLU, _args_: []}") == {"model": {"_target_": "torch.nn.ReLU"}}


def test_text_within_a_block_is_an_argument_and_no_target():
    block = resolved("model: {_target_: my.Net, mode: ReLU, x: {y: Linear}}")["model"]
    assert block == {"_target_": "my.Net", "mode": "ReLU", "x": {"y": "Linear"}}


def test_a_path_of_your_own_is_taken_as_it_stands():
    assert resolved("model: my_package.nets.MyNet")["model"] == {"_target_": "my_package.nets.MyNet"}
    assert resolved("loss: torch.nn.modules.loss.L1Loss")["loss"] == {
        "_target_": "torch.nn.modules.loss.L1Loss"
    }


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("optimizer: Adamm", "1:1: there is no torch.optim.Adamm; did you mean 'Adam'?"),
        ("optimizer: {_target_: adamw}", "1:13: there is no torch.optim.adamw; did you mean 'AdamW'?"),
        ("optimizer: torch.optim.Adamm", "1:1: there is no torch.optim.Adamm; did you mean 'Adam'?"),
        (
            "loss: torch.nn.CrossEntropy",
            "1:1: there is no torch.nn.CrossEntropy; did you mean 'CrossEntropyLoss'?",
        ),
        ("loss: {class_path: Zz1Loss}", "1:8: there is no torch.nn.Zz1Loss; did you mean 'L1Loss'?"),
        (
            "model:\n  _target_: Sequential\n  _args_: [{_target_: Linaer}]",
            "3:13: there is no Linaer in torch.nn, fusionq or torchvision.models; did you mean 'Linear'?",
        ),
        (
            "callbacks: [Zzz]",
            "1:13: there is no fusionq.Zzz; write the full path, such as my_package.MyClass",
        ),
        (
            "model: {_target_: Sequential, _args_: [{_target_: ToTensor}]}",
            "1:41: there is no ToTensor in torch.nn, fusionq or torchvision.models;"
            " write torchvision.transforms.v2.ToTensor",
        ),
    ],
)
def test_a_target_that_there_is_not_gets_the_nearest_that_may_stand_there(text, mistake):
    assert mistakes(text) == [f"job.yaml:{mistake}"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "loss: Adam",
            "1:1: torch.optim.Adam is an optimizer; `loss` needs a loss, such as CrossEntropyLoss",
        ),
        (
            "loss: {_target_: torch.optim.Adam}",
            "1:8: torch.optim.Adam is an optimizer; `loss` needs a loss, such as CrossEntropyLoss",
        ),
        ("loss: MSE", "1:1: fusionq.MSE is a metric; `loss` needs a loss, such as MSELoss"),
        ("loss: Linear", "1:1: torch.nn.Linear is a layer; `loss` needs a loss, such as CrossEntropyLoss"),
        (
            "model: MNIST",
            "1:1: torchvision.datasets.MNIST is a data set; `model` needs a model, such as Sequential",
        ),
        ("model: L1Loss", "1:1: torch.nn.L1Loss is a loss; `model` needs a model, such as Sequential"),
        (
            "optimizer: {class_path: StepLR, init_args: {step_size: 1}}",
            "1:13: torch.optim.lr_scheduler.StepLR is a learning-rate scheduler;"
            " `optimizer` needs an optimizer, such as Adam",
        ),
        (
            "data: {train: {_target_: ToTensor}}",
            "1:16: torchvision.transforms.v2.ToTensor is a transform;"
            " `data.train` needs a data set, such as MNIST",
        ),
        (
            "metrics: {test: [Accuracy, CsvLog]}",
            "1:28: fusionq.CsvLog is a callback; `metrics.test` needs a metric, such as Accuracy",
        ),
        (
            "trainer: Accuracy",
            "1:1: fusionq.Accuracy is a metric; `trainer` needs a trainer, such as StandardModel",
        ),
    ],
)
def test_a_target_that_is_not_allowed_in_its_place_is_refused(text, mistake):
    assert mistakes(text) == [f"job.yaml:{mistake}"]


@pytest.mark.parametrize(
    "text",
    [
        "model: ReLU",
        "model: resnet18",
        "loss: CosineSimilarity",
        "loss: torch.nn.functional.cross_entropy",
        "data: {transform: [ToTensor, {_target_: torch.nn.Flatten, start_dim: 0}]}",
        "loss: {_target_: my.Sum, _args_: [{_target_: torch.optim.Adam, params: []}]}",
    ],
)
def test_a_layer_may_be_a_model_and_only_the_outermost_block_must_fit_its_place(text):
    assert mistakes(text) == []


@pytest.mark.parametrize("name", ["3", "''", "a..b", "os.system()", "[x]", "a b", ".Adam"])
def test_what_cannot_be_a_name_is_refused(name):
    (mistake,) = mistakes(f"optimizer: {{_target_: {name}}}")
    assert "is not the name of a class or function, such as Adam" in mistake


@pytest.mark.parametrize("block", ["3", "[Adam]", "{lr: 1}", "{}"])
def test_a_section_without_a_target_is_refused(block):
    (mistake,) = mistakes(f"optimizer: {block}")
    assert mistake == "job.yaml:1:1: expected a block with _target_, such as {_target_: Adam}"


def test_a_block_that_names_its_target_twice_is_refused():
    (mistake,) = mistakes("loss: {_target_: L1Loss, class_path: MSELoss}")
    assert mistake == "job.yaml:1:26: a block names its target once; _target_ is there too"


def test_a_section_that_is_not_there_or_null_is_left_to_the_model():
    assert resolved("lr_scheduler: null\ndata: 5\nmetrics: {test: 3}") == {
        "lr_scheduler": None,
        "data": 5,
        "metrics": {"test": 3},
    }
