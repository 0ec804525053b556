"""The best model in forms that other programs read."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from fusionq.errors import TargetError
from fusionq.spec.paths import RunPaths

_NEEDS = {"safetensors": ("safetensors",), "torch_export": (), "onnx": ("onnx", "onnxscript")}


def check_formats(formats: list[str]) -> None:
    """Raises TargetError at once, rather than after hours of training, where a package is missing."""
    for form in formats:
        for package in _NEEDS[form]:
            if importlib.util.find_spec(package) is None:
                raise TargetError(f"export: {form} needs {package} on this worker; pip install {package}")


def export_model(model: nn.Module, example: Tensor, formats: list[str], paths: RunPaths) -> list[str]:
    """Write the model, in eval mode, in each format; returns the files. `example` is a batch of inputs."""
    writers: dict[str, Callable[[nn.Module, Tensor, Path], Path]] = {
        "safetensors": _safetensors,
        "torch_export": _torch_export,
        "onnx": _onnx,
    }
    paths.exports.mkdir(parents=True, exist_ok=True)
    model.eval()
    return [str(writers[form](model, example, paths.exports)) for form in formats]


def _safetensors(model: nn.Module, example: Tensor, folder: Path) -> Path:
    from safetensors.torch import save_model

    path = folder / "model.safetensors"
    save_model(model, str(path))  # knows tensors that are shared between layers
    return path


def _torch_export(model: nn.Module, example: Tensor, folder: Path) -> Path:
    path = folder / "model.pt2"
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(model, (_two(example),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    return path


def _onnx(model: nn.Module, example: Tensor, folder: Path) -> Path:
    path = folder / "model.onnx"
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    torch.onnx.export(model, (_two(example),), str(path), dynamo=True, dynamic_shapes=shapes)
    return path


def _two(example: Tensor) -> Tensor:
    """Two samples: with one, the tracer takes the batch size for a constant."""
    return example[:1].repeat(2, *[1] * (example.dim() - 1))
