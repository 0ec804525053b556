"""The best model in forms that other programs read."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import fusionq as tf
from fusionq.engine import exporting
from fusionq.errors import TargetError
from fusionq.spec.events import Warned
from tests.engine.jobs import job_spec, run

CONVOLUTIONAL = (
    "model._args_=[{_target_: Conv2d, in_channels: 1, out_channels: 4, kernel_size: 3}, "
    "{_target_: BatchNorm2d, num_features: 4}, {_target_: ReLU}, {_target_: fusionq.GlobalAvgPool2d}, "
    "{_target_: Dropout}, {_target_: Linear, in_features: 4, out_features: 10}]"
)


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), tf.GlobalAvgPool2d(), nn.Dropout(), nn.Linear(4, 10)
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module, list[str]]:
    """A run that exported all forms that are installed here, and its best model."""
    formats = ["safetensors", "torch_export"]
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxscript"):
        formats.append("onnx")
    folder = tmp_path_factory.mktemp("exported")
    result = run(job_spec(CONVOLUTIONAL, f"export=[{', '.join(formats)}]"), folder)
    best = model().eval()
    best.load_state_dict(torch.load(result["best_model"], weights_only=True))
    return folder, best, result["exports"]


def test_the_result_names_the_files(exported: tuple[Path, nn.Module, list[str]]) -> None:
    folder, _, files = exported
    assert sorted(files) == sorted(
        str(path) for path in (folder / "exports").iterdir() if path.suffix != ".data"
    )


def test_safetensors_hold_the_weights_of_the_best_model(exported: tuple[Path, nn.Module, list[str]]) -> None:
    load_file = pytest.importorskip("safetensors.torch").load_file
    folder, best, _ = exported
    held = load_file(folder / "exports" / "model.safetensors")
    assert held.keys() == best.state_dict().keys()
    assert all(torch.equal(value, held[key]) for key, value in best.state_dict().items())


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_exported_program_takes_batches_of_any_size(
    size: int, exported: tuple[Path, nn.Module, list[str]]
) -> None:
    folder, best, _ = exported
    program = torch.export.load(folder / "exports" / "model.pt2")
    inputs = torch.rand(size, 1, 8, 8)
    with torch.no_grad():
        assert torch.allclose(program.module()(inputs), best(inputs), atol=1e-6)


def test_onnx_is_a_model_that_is_valid(exported: tuple[Path, nn.Module, list[str]]) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    folder, _, _ = exported
    held = onnx.load(folder / "exports" / "model.onnx")
    onnx.checker.check_model(held)
    assert held.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "the batch size is left open"


def test_a_form_that_needs_a_missing_package_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporting._NEEDS, "onnx", ("onnx", "no_such_package"))
    with pytest.raises(
        TargetError, match="onnx needs no_such_package on this worker; pip install no_such_package"
    ):
        run(job_spec("export=[onnx]"), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


class Rows(Dataset):
    """Samples that are dicts."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.full((4,), float(index % 2)), "labels": index % 2}


class OfDicts(tf.BaseModel):
    """Calls its model by keyword, and cannot be tested."""

    def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
        loss = loss_fn(self.model(input=data["x"]), data["labels"])
        self.optimize(loss, optimizer)
        running_loss.add_(loss, weight=len(data["x"]))


DICTS = (
    "model={_target_: Linear, in_features: 4, out_features: 2}",
    f"data={{train: {{_target_: {__name__}.Rows}}, batch_size: 4}}",
    f"trainer={__name__}.OfDicts",
    "metrics={}",
    "train.epochs=1",
)


def test_a_model_of_dict_batches_is_exported(tmp_path: Path) -> None:
    result = run(job_spec(*DICTS, "export=[safetensors, torch_export]"), tmp_path)
    assert "exports_failed" not in result
    held = torch.load(result["best_model"], weights_only=True)
    model = nn.Linear(4, 2)
    model.load_state_dict(held)
    inputs = torch.rand(5, 4)
    program = torch.export.load(tmp_path / "exports" / "model.pt2")
    assert torch.allclose(program.module()(input=inputs), model(inputs), atol=1e-6)


class Branches(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) if input.sum() > 0 else input[:, :2]


def test_why_a_model_has_no_onnx_form_is_told_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    model = f"model={{_target_: {__name__}.Branches, in_features: 4, out_features: 2}}"
    result = run(job_spec(*DICTS, model, "export=[onnx]"), tmp_path)
    (reason,) = result["exports_failed"]
    assert "Could not guard on data-dependent expression" in reason
    assert "\\x1b" not in reason
    assert "[torch.onnx]" not in capsys.readouterr().out


def test_an_export_that_fails_does_not_fail_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Path:
        raise RuntimeError("cannot be traced")

    monkeypatch.setattr(exporting, "_torch_export", fail)
    events: list[Any] = []
    result = run(job_spec(*DICTS, "export=[torch_export, safetensors]"), tmp_path, report=events.append)
    assert [Path(file).name for file in result["exports"]] == ["model.safetensors"]
    assert result["exports_failed"] == ["torch_export: RuntimeError: cannot be traced"]
    assert [event.text for event in events if isinstance(event, Warned)] == [
        "export: torch_export: RuntimeError: cannot be traced"
    ]
