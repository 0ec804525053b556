"""The best model in forms that other programs read."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.data.batches import example_of
from fusionq.engine.data.sample_count import batch_length
from fusionq.errors import TargetError
from fusionq.spec.paths import RunPaths

if TYPE_CHECKING:
    from fusionq.engine.training import Training

_NEEDS = {"safetensors": ("safetensors",), "torch_export": (), "onnx": ("onnx", "onnxscript")}


def check_formats(formats: list[str]) -> None:
    """Raises TargetError at once, rather than after hours of training, where a package is missing."""
    for form in formats:
        for package in _NEEDS[form]:
            if importlib.util.find_spec(package) is None:
                raise TargetError(f"export: {form} needs {package} on this worker; pip install {package}")


@dataclass(frozen=True)
class Inputs:
    """What a model is called with, for `size` samples."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    size: int

    def as_example(self) -> Inputs:
        """Two samples: with one, the tracer takes the batch size for a constant."""

        def first_twice(value: Any) -> Any:
            return value[:1].repeat(2, *[1] * (value.dim() - 1)) if self._has_samples(value) else value

        return Inputs(tree_map(first_twice, self.args), tree_map(first_twice, self.kwargs), 2)

    def dynamic_shapes(self, model: nn.Module) -> Any:
        """That the number of samples is left open, in the form that torch.export asks for."""
        batch = torch.export.Dim("batch", min=1)

        def shape(value: Any) -> Any:
            return {0: batch} if self._has_samples(value) else None

        if not self.kwargs:
            return tree_map(shape, self.args)
        bound = inspect.signature(model.forward).bind(*self.args, **self.kwargs)
        return tree_map(shape, dict(bound.arguments))

    def _has_samples(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and value.shape[0] == self.size


class _Seen(BaseException):
    """Leaves a trainer's hook once it has called its model; no handler for errors takes it."""


def model_inputs(training: Training) -> Inputs:
    """What the trainer calls its model with for a batch. Raises TargetError where it does not call it.

    The hook for training is asked, since every trainer has it; it comes no further than the model, so nothing
    is trained.
    """
    trainer, seen = training.trainer, []

    def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append((args, kwargs))
        raise _Seen

    batch = example_of(training.train_batches)
    hook = trainer.model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        trainer.__train_func__(batch, training.optimizer, training.loss_fn, [], RunningLoss(), 1, 0)
    except _Seen:
        pass
    finally:
        hook.remove()
    if not seen:
        raise TargetError("__train_func__ does not call self.model, so its inputs are not known")
    return Inputs(*seen[0], batch_length(batch))


def export_model(model: nn.Module, form: str, paths: RunPaths, inputs: Callable[[], Inputs]) -> Path:
    """Write the model, in eval mode; returns the file. `inputs` are asked for where the form needs them."""
    paths.exports.mkdir(parents=True, exist_ok=True)
    model.eval()
    if form == "safetensors":
        return _safetensors(model, paths.exports)
    write = _torch_export if form == "torch_export" else _onnx
    return write(model, inputs().as_example(), paths.exports)


def _safetensors(model: nn.Module, folder: Path) -> Path:
    from safetensors.torch import save_model

    path = folder / "model.safetensors"
    save_model(model, str(path))  # knows tensors that are shared between layers
    return path


def _torch_export(model: nn.Module, example: Inputs, folder: Path) -> Path:
    path = folder / "model.pt2"
    torch.export.save(_traced(model, example), path)
    return path


def _onnx(model: nn.Module, example: Inputs, folder: Path) -> Path:
    path = folder / "model.onnx"
    # Traced before, for the exporter wraps what a model fails by into advice for a terminal.
    program = _traced(model, example)
    try:
        torch.onnx.export(program, f=str(path), dynamo=True, verbose=False)
    except torch.onnx.OnnxExporterError as error:
        raise error.__cause__ or error from None
    return path


def _traced(model: nn.Module, example: Inputs) -> torch.export.ExportedProgram:
    shapes = example.dynamic_shapes(model)
    return torch.export.export(model, example.args, example.kwargs, dynamic_shapes=shapes)
