"""Finds the layer in which a model failed, and says it in terms of the job file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fusionq.engine.checking.batch import shape_text
from fusionq.engine.checking.building import PlacedError, one_line
from fusionq.spec.reader import Path_

_ATEN = torch.ops.aten
_PRODUCTS = {_ATEN.mm, _ATEN.addmm, _ATEN.bmm, _ATEN.baddbmm, _ATEN.mv, _ATEN.addmv, _ATEN.dot}
_AUTOCAST = {torch.float32, torch.float16, torch.bfloat16}


class SameTypes(TorchDispatchMode):
    """Refuses products of different types, as every device does; without numbers torch lets them pass."""

    def __init__(self, *, autocast: bool) -> None:
        super().__init__()
        self._autocast = autocast

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in _PRODUCTS:
            kinds = {arg.dtype for arg in args if isinstance(arg, Tensor)}
            if len(kinds) > 1 and not (self._autocast and kinds <= _AUTOCAST):
                names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
                raise RuntimeError(f"both must have the same type, but they are {names}")
        return func(*args, **(kwargs or {}))


class Layers:
    """While it is entered, knows which layers of the model are at work."""

    def __init__(self, model: nn.Module, place_of: Callable[[Any], Path_ | None]) -> None:
        self._model = model
        self._place_of = place_of
        self._working: list[tuple[nn.Module, Any]] = []
        self._handles: list[Any] = []

    def __enter__(self) -> Layers:
        for module in self._model.modules():
            self._handles.append(module.register_forward_pre_hook(self._enter))
            self._handles.append(module.register_forward_hook(self._leave))
        return self

    def __exit__(self, *_: Any) -> None:
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._working.append((module, inputs[0] if inputs else None))

    def _leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        while self._working and self._working.pop()[0] is not module:
            pass  # a layer within it failed and was caught

    def error(self, cause: BaseException) -> PlacedError:
        """`cause` at the innermost layer at work, placed at the nearest block of the job file."""
        layer, inputs = self._working[-1] if self._working else (self._model, None)
        for outer, _ in reversed(self._working):
            place = self._place_of(outer)
            if place is not None:
                break
        else:
            outer, place = self._model, ("model",)
        text = _explain(layer, inputs, cause)
        if layer is not outer:
            name = next((name for name, module in outer.named_modules() if module is layer), "")
            text = f"in {name or 'it'}: {text}"
        return PlacedError(place, text, cause)


def _explain(layer: nn.Module, inputs: Any, cause: BaseException) -> str:
    name, takes = _words(layer, inputs)
    reason = one_line(cause, with_kind=not isinstance(cause, RuntimeError))
    if inputs is None:
        return f"{name}: {reason}"
    gets = (
        f"gets a {shape_text(inputs)} batch" if isinstance(inputs, Tensor) else f"gets a {shape_text(inputs)}"
    )
    return f"{name} takes {takes}, but {gets} ({reason})" if takes else f"{name} {gets}: {reason}"


def _words(layer: nn.Module, inputs: Any) -> tuple[str, str]:
    """What the layer is, and what it takes where that is not what it got."""
    name = type(layer).__name__
    shape = tuple(inputs.shape) if isinstance(inputs, Tensor) else ()
    if isinstance(layer, nn.Linear):
        is_right = shape[-1:] == (layer.in_features,)
        return f"{name}({layer.in_features}→{layer.out_features})", (
            "" if is_right else _many(layer.in_features, "feature")
        )
    if isinstance(layer, nn.modules.conv._ConvNd):
        channels = shape[-len(layer.kernel_size) - 1 : -len(layer.kernel_size)]
        return f"{name}({layer.in_channels}→{layer.out_channels})", (
            "" if channels == (layer.in_channels,) else _many(layer.in_channels, "channel")
        )
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return f"{name}({layer.num_features})", (
            "" if shape[1:2] == (layer.num_features,) else _many(layer.num_features, "channel")
        )
    return name, ""


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
