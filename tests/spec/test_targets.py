"""`_target_` blocks: their one canonical form, and what is said of a wrong name."""

from __future__ import annotations

from typing import Any

import pytest

from fusionq.spec.reader import read_text
from fusionq.spec.targets import TargetResolver, did_you_mean


def resolved(text: str) -> Any:
    resolver = TargetResolver(read_text(text, "job.yaml", {}))
    data = resolver.resolve_all()
    assert resolver.problems == []
    return data


def mistakes(text: str) -> list[str]:
    resolver = TargetResolver(read_text(text, "job.yaml", {}))
    resolver.resolve_all()
    return [str(problem) for problem in resolver.problems]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("trainer: StandardModel", "fusionq.StandardModel"),
        ("model: Linear", "torch.nn.Linear"),
        ("model: Flatten", "torch.nn.Flatten"),
        ("model: resnet18", "torchvision.models.resnet18"),
        ("loss: CrossEntropyLoss", "torch.nn.CrossEntropyLoss"),
        ("optimizer: Adam", "torch.optim.Adam"),
        ("lr_scheduler: StepLR", "torch.optim.lr_scheduler.StepLR"),
    ],
)
def test_a_short_name_is_looked_up_where_its_section_implies(text, target):
    ((_, block),) = resolved(text).items()
    assert block == {"_target_": target}


def test_data_transforms_and_metrics_have_places_of_their_own():
    data = resolved("data: {train: MNIST, test: Digits, transform: [ToTensor]}\nmetrics: {test: [Accuracy]}")
    assert data["data"] == {
        "train": {"_target_": "torchvision.datasets.MNIST"},
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
        "  extra: {deeper: {class_path: Tanh}}\n"
    )
    assert data["model"] == {
        "_target_": "torch.nn.Sequential",
        "_args_": [{"_target_": "torch.nn.Linear", "_args_": [2, 1]}, [{"_target_": "torch.nn.ReLU"}]],
        "extra": {"deeper": {"_target_": "torch.nn.Tanh"}},
    }


def test_positional_arguments_are_there_only_when_they_have_values():
    assert resolved("model: {_target_: ReLU, _args_: []}") == {"model": {"_target_": "torch.nn.ReLU"}}


def test_text_within_a_block_is_an_argument_and_no_target():
    block = resolved("model: {_target_: Conv2d, padding_mode: ReLU, x: {y: Linear}}")["model"]
    assert block == {"_target_": "torch.nn.Conv2d", "padding_mode": "ReLU", "x": {"y": "Linear"}}


def test_a_path_of_your_own_is_taken_as_it_stands():
    assert resolved("model: my_package.nets.MyNet")["model"] == {"_target_": "my_package.nets.MyNet"}
    assert resolved("loss: torch.nn.modules.loss.L1Loss")["loss"] == {
        "_target_": "torch.nn.modules.loss.L1Loss"
    }


def test_an_unknown_short_name_gets_the_nearest_right_one():
    assert mistakes("model:\n  _target_: Sequential\n  _args_: [{_target_: Linaer}]") == [
        "job.yaml:3:13: unknown target 'Linaer' (looked in torch.nn, fusionq, torchvision.models);"
        " did you mean 'Linear'?"
    ]


def test_an_unknown_full_name_in_a_known_module_gets_the_nearest_right_one():
    (mistake,) = mistakes("optimizer: {_target_: torch.optim.adam, lr: 1}")
    assert mistake == "job.yaml:1:13: unknown target 'torch.optim.adam'; did you mean 'Adam'?"


def test_a_newer_torch_may_have_names_that_the_catalog_lacks(monkeypatch):
    monkeypatch.setattr("fusionq.spec.catalog.metadata.version", lambda package: "99.0")
    assert mistakes("optimizer: torch.optim.BrandNew") == []


def test_a_name_from_the_wrong_place_is_refused():
    (mistake,) = mistakes("loss: Adam")
    assert mistake.startswith("job.yaml:1:1: unknown target 'Adam' (looked in torch.nn)")


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


def test_arguments_of_the_wrong_form_are_refused():
    assert mistakes("loss: {_target_: L1Loss, _args_: 3}\nmodel: {class_path: ReLU, init_args: [1]}") == [
        "job.yaml:2:27: init_args is a block of keyword arguments",
        "job.yaml:1:26: _args_ is a list of positional arguments",
    ]


def test_a_section_that_is_not_there_or_null_is_left_to_the_model():
    assert resolved("lr_scheduler: null\ndata: 5\nmetrics: {test: 3}") == {
        "lr_scheduler": None,
        "data": 5,
        "metrics": {"test": 3},
    }


def test_a_near_word_is_proposed_and_a_short_list_is_shown():
    assert did_you_mean("epohcs", ["epochs", "seed"]) == "; did you mean 'epochs'?"
    assert did_you_mean("adamw", ["AdamW", "Adam"]) == "; did you mean 'AdamW'?"
    assert did_you_mean("xyz", ["b", "a"]) == "; valid here: a, b"
    assert did_you_mean("xyz", []) == ""
    assert did_you_mean("xyz", [f"name{i}" for i in range(20)]) == ""
