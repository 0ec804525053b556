"""The deep check: one batch of shapes through model and loss, and what it tells of the memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from fusionq.engine.checking import check_deeply
from fusionq.spec.verdict import Verdict
from tests.engine.jobs import job_spec, last_state, run
from tests.engine.test_checking import HERE, check, problem

WIDE = "model._args_.1.out_features=100"
MNIST = "data.train={_target_: MNIST, root: nowhere, train: true, download: true}"
NO_TEST = ("data.test=null", "metrics.test=[]")


def vectors(kind: str, model: str = "{_target_: Linear, in_features: 64, out_features: 10}") -> list[str]:
    """A job over data of the user's own."""
    return [
        f"data.train={{_target_: {HERE}.Vectors, kind: {kind}}}",
        "data.transform=[]",
        f"model={model}",
        *NO_TEST,
    ]


def model(name: str, *arguments: str) -> str:
    return f"model._args_=[{{_target_: fusionq.Flatten}}, {{{', '.join([f'_target_: {name}', *arguments])}}}]"


def test_a_layer_of_the_wrong_size_is_told_at_the_layer():
    place, message = problem(WIDE)
    assert place == ("model", "_args_", 4)
    assert message.startswith("model._args_.4: Linear(16→10) takes 16 features, but gets a 144 x 100 batch (")


def test_a_wrong_convolution_too():
    conv = "{_target_: Conv2d, in_channels: 3, out_channels: 4, kernel_size: 3}"
    place, message = problem(f"model._args_=[{conv}, {{_target_: fusionq.Flatten}}]")
    assert place == ("model", "_args_", 0)
    assert "Conv2d(3→4) takes 3 channels, but gets a 144 x 1 x 8 x 8 batch" in message


def test_a_layer_within_a_module_of_the_users_own_is_named():
    place, message = problem(model(f"{HERE}.Sized"))
    assert place == ("model", "_args_", 1)
    assert "in body.1: Linear(100→10) takes 100 features, but gets a 144 x 64 batch" in message
    assert check(model(f"{HERE}.Sized", "inner: 64")).problems == []


def test_a_layer_that_cannot_reshape_says_why():
    place, message = problem("model._args_.0={_target_: fusionq.Reshape, output_shape: 63}")
    assert place == ("model", "_args_", 0)
    assert "a sample of shape (1, 8, 8) cannot become (63,)" in message


@pytest.mark.parametrize("layer", [["Linear", "in_features: 64", "out_features: 10"], [f"{HERE}.Functional"]])
def test_a_wrong_type_is_told_at_the_layer(layer: list[str]):
    place, message = problem(model(*layer), "data.transform=[]")
    assert place == ("model", "_args_", 1)
    assert "gets a 144 x 64 of uint8 batch" in message
    assert "same type" in message


def test_numbers_of_double_precision_do_not_fit_weights():
    place, message = problem(*vectors("double"))
    assert place == ("model",)
    assert "float32 and float64" in message


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_right_job_passes_in_every_precision(precision: str):
    assert check(f"train.precision={precision}").problems == []


def test_fewer_outputs_than_classes_are_a_problem():
    place, message = problem("model._args_.4.out_features=5")
    assert (place, message) == (("model",), "model: it gives 5 outputs, but the data has 10 classes")
    assert check("model._args_.4.out_features=12").problems == []


def test_classes_are_counted_in_data_of_the_users_own():
    place, message = problem(*vectors("class", "{_target_: Linear, in_features: 64, out_features: 3}"))
    assert place == ("model",)
    assert "3 outputs, but the data has 10 classes" in message


@pytest.mark.parametrize(
    ("loss", "kind", "words"),
    [
        ("CrossEntropyLoss", "int32", "Long"),
        ("BCEWithLogitsLoss", "class", "must be the same as input size"),
        ("CTCLoss", "class", "missing 2 required positional arguments"),
        ("HuberLoss", "number", "must match"),
    ],
)
def test_what_a_loss_does_not_take_is_told_at_the_loss(loss: str, kind: str, words: str):
    place, message = problem(f"loss={{_target_: {loss}}}", *vectors(kind), "metrics.train=[]")
    assert place == ("loss",)
    assert message.startswith(f"loss: {loss}: ")
    assert words in message


def test_class_numbers_in_bytes_are_right():
    assert check(*vectors("uint8")).problems == []


@pytest.mark.parametrize("loss", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "PoissonNLLLoss"])
def test_a_loss_that_stretches_its_targets_is_a_problem(loss: str):
    place, message = problem(
        f"loss={{_target_: {loss}}}",
        *vectors("number", "{_target_: Linear, in_features: 64, out_features: 1}"),
        "metrics.train=[]",
    )
    assert place == ("loss",)
    assert (
        f"{loss} would stretch outputs of shape (100, 1) and targets of shape (100,) to (100, 100)" in message
    )


def test_a_loss_of_the_users_own_is_computed_too():
    place, message = problem(f"loss={{_target_: {HERE}.OwnLoss}}", "metrics.train=[]")
    assert place == ("loss",)
    assert "OwnLoss: RuntimeError: " in message


# --- what only lacks numbers is a note -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LooksAtNumbers", "WantsGpu", "Downloads"])
def test_what_cannot_be_run_without_numbers_is_a_note(name: str):
    verdict = check(model(f"{HERE}.{name}"))
    assert verdict.problems == []
    assert len(verdict.notes) == 1
    assert verdict.notes[0].startswith("model._args_.1: it cannot be run without numbers (")


def test_the_parameters_are_counted_where_the_shapes_cannot_be_checked():
    assert check(model(f"{HERE}.LooksAtNumbers")).estimate["parameters"] == 650


def test_a_model_that_meta_tensors_cannot_run_is_run_with_fake_ones():
    assert check(model(f"{HERE}.MixesDevices")).problems == []
    assert check(model(f"{HERE}.MixesDevices")).notes == []


def test_weights_of_torchvision_are_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pictures = "{_target_: FakeData, size: 8, image_size: [3, 32, 32]}"
    verdict = check(
        "model={_target_: resnet18, weights: DEFAULT}", f"data.train={pictures}", f"data.test={pictures}"
    )
    assert verdict.problems == verdict.notes == []
    assert verdict.estimate["parameters"] == 11_689_512
    assert list(tmp_path.iterdir()) == []


def test_a_trainer_with_hooks_of_its_own_gets_a_note():
    verdict = check(f"trainer={{_target_: {HERE}.OwnTrainer}}", WIDE)
    assert verdict.problems == []
    assert verdict.notes == ["trainer: OwnTrainer has hooks of its own; shapes were not checked"]
    assert verdict.estimate["parameters"] > 0
    assert check(f"trainer={{_target_: {HERE}.Quiet}}", WIDE).problems != []


# --- the data --------------------------------------------------------------------------------------------


def test_a_known_data_set_needs_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    place, message = problem(MNIST, *NO_TEST)
    assert place == ("model", "_args_", 1)
    assert "takes 64 features, but gets a 144 x 784 batch" in message
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("block", "features"),
    [
        ("{_target_: CIFAR100, root: x}", 3072),
        ("{_target_: EMNIST, root: x, split: letters}", 784),
        ("{_target_: SVHN, root: x, split: train}", 3072),
        ("{_target_: FakeData, image_size: [1, 4, 5]}", 20),
        ("{_target_: FakeData}", 150528),
        ("{_target_: Digits}", 784),
        ("{_target_: Digits, transform: {_target_: torchvision.transforms.v2.CenterCrop, size: 5}}", 25),
    ],
)
def test_the_form_of_known_data_sets(block: str, features: int):
    linear = f"{{_target_: Linear, in_features: {features}, out_features: 100}}"
    verdict = check(
        f"data.train={block}", f"model._args_=[{{_target_: fusionq.Flatten}}, {linear}]", *NO_TEST
    )
    assert verdict.problems == verdict.notes == []


def test_random_transforms_change_what_is_trained_on_and_not_what_is_tested():
    place, message = problem(
        "data.augment=[{_target_: RandomCrop, size: 4}]", "model._args_.1.in_features=16"
    )
    assert place == ("model", "_args_", 1)
    assert "takes 16 features, but gets a 144 x 64 batch" in message, "the test data is not cropped"


def test_a_transform_that_fails_is_told_at_its_place():
    place, message = problem("data.transform=[{_target_: Normalize, mean: [0.5], std: [0.5]}]")
    assert place == ("data", "transform", 0)
    assert message.startswith("data.transform.0: Normalize: ")


def test_pictures_must_become_tensors():
    place, message = problem(
        "data.train={_target_: FakeData, image_size: [1, 8, 8]}", "data.transform=[]", *NO_TEST
    )
    assert place == ("data", "transform")
    assert "add {_target_: ToTensor}" in message


def test_data_that_is_not_here_is_a_note_and_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    verdict = check("data.train={_target_: Food101, root: data, download: true}", *NO_TEST)
    assert verdict.problems == []
    assert verdict.notes == ["data.train: the data is not on this machine; shapes were not checked"]
    assert check(*vectors("missing")).notes == [
        "data.train: it cannot be opened here; shapes were not checked"
    ]
    assert os.listdir(tmp_path) == []


def test_data_that_refuses_its_arguments_is_a_problem():
    assert problem(*vectors("refused")) == (
        ("data", "train"),
        "data.train: Vectors: ValueError: no such kind",
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [("alone", "its samples are not pairs"), ("odd", "no batch can be made of its samples")],
)
def test_samples_that_cannot_be_trained_on_are_a_problem(kind: str, words: str):
    place, message = problem(*vectors(kind))
    assert place == ("data", "train")
    assert words in message


def test_a_dictionary_of_inputs_reaches_the_model():
    place, message = problem(*vectors("named"))
    assert place == ("model",)
    assert "Linear(64→10)" in message


def test_a_collate_function_is_used(tmp_path: Path):
    assert check(*vectors("class"), f"data.collate_fn={HERE}.stack").problems == []
    place, message = problem(*vectors("class"), f"data.collate_fn={HERE}.across")
    assert place == ("model",)
    assert "gets a 64 x 100 batch" in message


def test_a_batch_is_no_larger_than_its_data():
    assert check(*vectors("class"), "data.batch_size=5000").estimate["batch_size"] == 100


# --- the estimate ----------------------------------------------------------------------------------------


def test_the_size_of_model_and_checkpoint_is_near_the_real_one(tmp_path: Path):
    wide = ("model._args_.1.out_features=3000", "model._args_.4.in_features=3000", "train.epochs=1")
    spec = job_spec(*wide, "train.ema=0.9", "data.batch_size=1437")
    estimate = check_deeply(spec, tmp_path, None).estimate
    run(spec, tmp_path)
    state = last_state(tmp_path)
    assert estimate["parameters"] == sum(t.numel() for t in state["model"].values())
    checkpoint = max((tmp_path / "checkpoints").glob("*.pt")).stat().st_size
    assert estimate["checkpoint_bytes"] == pytest.approx(checkpoint, rel=0.02)
    best = next((tmp_path / "best_models").glob("*.pth")).stat().st_size
    assert estimate["model_bytes"] == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize(
    ("optimizer", "copies"),
    [
        ("{_target_: SGD, lr: 0.1}", 0),
        ("{_target_: SGD, lr: 0.1, momentum: 0.9}", 1),
        ("{_target_: AdamW, amsgrad: true}", 3),
        ("{_target_: RMSprop, centered: true}", 2),
        (f"{{_target_: {HERE}.OwnAdam}}", 2),
    ],
)
def test_the_state_of_an_optimizer_is_counted(optimizer: str, copies: int):
    found = check(f"optimizer={optimizer}").estimate
    assert found["optimizer_bytes"] == pytest.approx(copies * found["model_bytes"], abs=200)


def test_activations_are_those_that_autograd_keeps():
    spec = job_spec("model._args_.3={_target_: Identity}")
    found = check_deeply(spec, Path.cwd(), None).estimate
    assert found["activation_bytes"] == 144 * 16 * 4, "what ReLU gave; the inputs belong to the batch"
    halved = check("model._args_.3={_target_: Identity}", "train.precision=bf16").estimate
    assert halved["activation_bytes"] == found["activation_bytes"] // 2


def test_evaluating_needs_neither_gradients_nor_an_optimizer():
    verdict = check("task=evaluate", "model.from=other", "loss=null", "optimizer=null", "metrics.train=[]")
    assert verdict.problems == []
    assert verdict.estimate["gradient_bytes"] == verdict.estimate["optimizer_bytes"] == 0
    assert "checkpoint_bytes" not in verdict.estimate


def test_more_than_the_memory_that_was_asked_for_is_a_problem():
    verdict = check("resources.gpu_memory=10KB")
    ((place, message),) = verdict.problems
    assert place == ("resources", "gpu_memory")
    assert "takes about 85.0 KB at a batch size of 144" in message
    assert "more than 10.0 KB" in message
    assert "data.batch_size" in message
    assert check("resources.gpu_memory=1GB").problems == []


def test_no_numbers_are_ever_made_for_a_model_of_any_size():
    """A model of 4 TB."""
    huge = "{_target_: Linear, in_features: 64, out_features: 1000000000, bias: false}"
    verdict = check(f"model._args_=[{{_target_: fusionq.Flatten}}, {huge}]", "resources.gpu_memory=80GB")
    assert verdict.estimate["model_bytes"] == 256_000_000_000
    assert [place for place, _ in verdict.problems] == [("resources", "gpu_memory")]


def test_a_check_that_is_at_fault_itself_is_a_note(monkeypatch: pytest.MonkeyPatch):
    from fusionq.engine.checking import deep

    monkeypatch.setattr(deep, "check_kinds", lambda *_: 1 / 0)
    assert check() == Verdict(notes=["the check ended early (ZeroDivisionError: division by zero)"])
    assert torch.is_grad_enabled()


# --- batches of one sample ---------------------------------------------------------------------------------

NORMED = (
    "model._args_=[{_target_: fusionq.Flatten}, {_target_: Linear, in_features: 64, out_features: 10}, "
    "{_target_: BatchNorm1d, num_features: 10}]"
)
NORMED_VECTORS = (
    "{_target_: Sequential, _args_: [{_target_: Linear, in_features: 64, out_features: 10}, "
    "{_target_: BatchNorm1d, num_features: 10}]}"
)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.batch_size=4"], "the last batch of an epoch has 1 sample (1,437 samples in batches of 4)"),
        (
            ["data.batch_size=5", "resources.processes=2"],
            "the last batch of an epoch has 2 samples for 2 processes (1,437 samples in batches of 5)",
        ),
        (
            ["data.val_fraction=0.1", "data.batch_size=4"],
            "the last batch of an epoch has 1 sample (1,293 samples in batches of 4)",
        ),
    ],
)
def test_a_last_batch_of_one_sample_is_told_before_an_epoch_is_spent(overrides: list[str], words: str):
    ((place, message),) = check(NORMED, *overrides).problems
    assert place == ("model", "_args_", 2)
    assert "Expected more than 1 value per channel when training" in message
    assert message.endswith(f"{words}; data.drop_last: true leaves it out")
    assert check(NORMED, *overrides, "data.drop_last=true").problems == []


def test_a_process_with_one_sample_of_every_batch_is_told():
    ((_, message),) = check(NORMED, "data.batch_size=2", "resources.processes=2").problems
    assert message.endswith("a batch has 2 samples for 2 processes (1,437 samples in batches of 2); "
                            "take a larger data.batch_size")  # fmt: skip


def test_a_last_batch_of_one_sample_of_ones_own_data_is_told():
    found = check(*vectors("class", NORMED_VECTORS), "data.batch_size=33").problems
    assert [message.rpartition("; ")[0].rpartition("; ")[2] for _, message in found] == [
        "the last batch of an epoch has 1 sample (100 samples in batches of 33)"
    ]


def test_one_sample_is_enough_where_it_has_many_values_per_channel():
    images = (
        "model._args_=[{_target_: BatchNorm2d, num_features: 1}, {_target_: fusionq.Flatten}, "
        "{_target_: Linear, in_features: 64, out_features: 10}]"
    )
    assert check(images, "data.batch_size=4").problems == []
