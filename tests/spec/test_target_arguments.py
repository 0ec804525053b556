"""The arguments of `_target_` blocks: what is said of those that a target does not take, or lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fusionq.errors import MOST_PROBLEMS, SpecError
from fusionq.spec.check import check
from fusionq.spec.overrides import apply_overrides
from fusionq.spec.reader import read_text
from fusionq.spec.targets import TargetResolver
from tests.spec.resolving import mistakes, resolved
from tests.support import ONE_JOB

ADAM_TAKES = (
    "amsgrad, betas, capturable, decoupled_weight_decay, differentiable, eps, foreach, fused, lr,"
    " maximize, weight_decay"
)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "optimizer: {_target_: Adam, learning_rate: 1e-3}",
            "1:29: torch.optim.Adam takes no argument 'learning_rate'; did you mean 'lr'?",
        ),
        (
            "optimizer: {class_path: Adam, init_args: {wd: 1}}",
            "1:43: torch.optim.Adam takes no argument 'wd'; did you mean 'weight_decay'?",
        ),
        (
            "optimizer: {_target_: Adam, zzz: 1}",
            f"1:29: torch.optim.Adam takes no argument 'zzz'; valid here: {ADAM_TAKES}",
        ),
        (
            "optimizer: {_target_: SGD, params: 1}",
            "1:28: torch.optim.SGD gets its 'params' from fusionq; leave it out",
        ),
        ("model: {_target_: fusionq.Flatten, dim: 1}", "1:36: fusionq.Flatten takes no argument 'dim'"),
        (
            "model: {_target_: ReLU, init_args: {inplace: true}}",
            "1:25: torch.nn.ReLU takes no argument 'init_args'; valid here: inplace",
        ),
        ("model: {_target_: Linear, in_features: 3}", "1:9: torch.nn.Linear needs 'out_features'"),
        ("model: Linear", "1:1: torch.nn.Linear needs 'in_features' and 'out_features'"),
        ("lr_scheduler: StepLR", "1:1: torch.optim.lr_scheduler.StepLR needs 'step_size'"),
        ("data:\n  train: {_target_: MNIST}", "2:11: torchvision.datasets.MNIST needs 'root'"),
        (
            "data: {transform: [{_target_: Normalize, mean: [0.5]}]}",
            "1:21: torchvision.transforms.v2.Normalize needs 'std'",
        ),
        (
            "model: {_target_: Linear, _args_: [3, 2], in_features: 3}",
            "1:43: torch.nn.Linear gets 'in_features' twice: it is among the positional arguments",
        ),
        (
            "model: {_target_: ReLU, _args_: [true, 2]}",
            "1:25: torch.nn.ReLU takes at most 1 argument by position; 2 are too many",
        ),
        (
            "trainer: {_target_: StandardModel, _args_: [true, 2]}",
            "1:36: fusionq.StandardModel takes at most 1 argument by position; 2 are too many",
        ),
        (
            "callbacks: [{_target_: CsvLog, _args_: [1]}]",
            "1:32: fusionq.CsvLog takes no arguments by position; 1 are too many",
        ),
        (
            "model:\n  _target_: Sequential\n  _args_:\n  - {_target_: Conv2d, _args_: [1, 2, 3], pading: 1}",
            "4:43: torch.nn.Conv2d takes no argument 'pading'; did you mean 'padding'?",
        ),
    ],
)
def test_an_argument_that_a_target_does_not_take_or_lacks_is_told_at_its_place(text, mistake):
    assert mistakes(text) == [f"job.yaml:{mistake}"]


def test_every_mistake_of_one_call_is_told_but_what_is_misspelled_is_not_missing():
    assert mistakes("model:\n  _target_: Linear\n  in_feature: 3\n  bais: 2") == [
        "job.yaml:3:3: torch.nn.Linear takes no argument 'in_feature'; did you mean 'in_features'?",
        "job.yaml:4:3: torch.nn.Linear takes no argument 'bais'; did you mean 'bias'?",
        "job.yaml:2:3: torch.nn.Linear needs 'out_features'",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "optimizer: {_target_: Adam, _args_: [0.1], betas: [0.9, 0.99], fused: true}",
        "optimizer: {_target_: my_package.Adam, learning_rate: 1}",
        "lr_scheduler: {_target_: StepLR, _args_: [3], gamma: 0.1}",
        "trainer: {_target_: StandardModel, use_cuda_if_available: false}",
        "model: {_target_: resnet18, weights: null, num_classes: 10, zero_init_residual: true}",
        "model: {_target_: Linear, from: digits, in_features: 1, out_features: 2}",
        "model: {_target_: torch.nn.modules.linear.Linear, x: 1}",
        "model: torchvision.models.segmentation.fcn_resnet50",
        "data: {train: {_target_: EMNIST, root: data, split: mnist, download: true, train: true}}",
        "data: {train: {_target_: Subset, dataset: {_target_: Digits}, indices: [1, 2]}}",
        "metrics: {test: [{_target_: Accuracy, name: top2, topK: 2}]}",
        "metrics: {test: [{_target_: torchmetrics.classification.BinaryAccuracy, name: mine}]}",
    ],
)
def test_what_fusionq_gives_itself_and_what_is_not_known_is_no_mistake(text):
    assert mistakes(text) == []


def test_a_newer_torch_may_have_names_and_arguments_that_the_catalog_lacks(monkeypatch):
    monkeypatch.setattr("fusionq.spec.catalog.metadata.version", lambda package: "99.0")
    assert mistakes("optimizer: torch.optim.BrandNew") == []
    assert mistakes("optimizer: {_target_: Adam, brand_new: 1}\nmodel: Linear") == []
    assert mistakes("optimizer: Zzz") == [
        "job.yaml:1:1: there is no torch.optim.Zzz; write the full path, such as torch.optim.Zzz"
    ]
    assert mistakes("metrics: {test: [{_target_: Accuracy, topk: 1}]}") == [
        "job.yaml:1:39: fusionq.Accuracy takes no argument 'topk'; did you mean 'topK'?"
    ]


def test_a_mistake_in_an_override_names_the_override():
    source = read_text(
        "model: {_target_: Linear, in_features: 1, out_features: 2}\nloss: L1Loss", "j.yaml", {}
    )
    overrides = ["model.bais=false", "loss=Adam", "optimizer._target_=Adamm", "~model.in_features"]
    resolver = TargetResolver(apply_overrides(source, overrides, {}))
    resolver.resolve_all()
    assert {str(problem) for problem in resolver.problems} == {
        "override 'model.bais=false': torch.nn.Linear takes no argument 'bais'; did you mean 'bias'?",
        "override 'loss=Adam': torch.optim.Adam is an optimizer;"
        " `loss` needs a loss, such as CrossEntropyLoss",
        "override 'optimizer._target_=Adamm': there is no torch.optim.Adamm; did you mean 'Adam'?",
        "j.yaml:1:9: torch.nn.Linear needs 'in_features'",
    }


def test_what_is_missing_may_stand_where_a_sweep_or_the_file_itself_is_wrong():
    assert mistakes("lr_scheduler: StepLR\nsweep: {params: {lr_scheduler.step_size: 1}}") == []
    broken = replace(read_text("lr_scheduler: StepLR", "job.yaml", {}), is_broken=True)
    resolver = TargetResolver(broken)
    resolver.resolve_all()
    assert resolver.problems == []


def test_thousands_of_wrong_blocks_are_told_of_soon():
    wrong = "{_target_: Linaer}, {_target_: Linear, a: 1, b: 2, in_feature: 3}, "
    words = mistakes(f"model: {{_target_: Sequential, _args_: [{wrong * 5000}]}}")
    assert len(words) == MOST_PROBLEMS


def test_arguments_of_the_wrong_form_are_refused():
    assert mistakes("loss: {_target_: L1Loss, _args_: 3}\nmodel: {class_path: ReLU, init_args: [1]}") == [
        "job.yaml:2:27: init_args is a block of keyword arguments",
        "job.yaml:1:26: _args_ is a list of positional arguments",
    ]


def test_a_sampler_gets_its_data_set_from_us():
    data = resolved("data: {sampler: RandomSampler}")
    assert data == {"data": {"sampler": {"_target_": "torch.utils.data.RandomSampler"}}}
    resolved("data: {sampler: {_target_: WeightedRandomSampler, weights: [1, 2], num_samples: 2}}")
    assert mistakes("data: {sampler: {_target_: RandomSampler, data_source: 1}}") == [
        "job.yaml:1:43: torch.utils.data.RandomSampler gets its 'data_source' from fusionq; leave it out"
    ]
    assert mistakes("data: {sampler: WeightedRandomSampler}") == [
        "job.yaml:1:8: torch.utils.data.WeightedRandomSampler needs 'weights' and 'num_samples'"
    ]
    (mistake,) = mistakes("data: {sampler: MNIST}")
    assert mistake.endswith("`data.sampler` needs a sampler, such as WeightedRandomSampler")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "optimizer.lr=abc",
            "SGD takes a number for 'lr', such as 2, 0.5 or 1e-3; this is 'abc'",
        ),
        ("optimizer.lr=10^-3", "this is '10^-3'"),
        ("lr_scheduler={_target_: StepLR, step_size: two}", "StepLR takes a number for 'step_size'"),
        ("model={_target_: Linear, _args_: [64, ten]}", "Linear takes a number for 'out_features'"),
        ("loss={_target_: CrossEntropyLoss, label_smoothing: some}", "a number for 'label_smoothing'"),
    ],
)
def test_a_text_where_a_number_is_needed_is_told(override: str, words: str):
    with pytest.raises(SpecError) as caught:
        check(apply_overrides(read_text(ONE_JOB, "job.yaml", {}), [override], {}))
    assert len(caught.value.problems) == 1
    assert words in caught.value.problems[0].message


def test_a_text_may_stand_where_one_is_meant():
    conv = "{_target_: Conv2d, in_channels: 1, out_channels: 2, kernel_size: [3, 3], padding: same}"
    check(apply_overrides(read_text(ONE_JOB, "job.yaml", {}), [f"model={conv}", "optimizer.lr=1e-2"], {}))


def test_nothing_where_a_number_is_needed_is_told():
    (mistake,) = mistakes(ONE_JOB.replace("lr: 0.1", "lr: null"))
    assert "takes a number for 'lr'" in mistake
    assert "this is nothing" in mistake
