"""Weights for a model out of a file, or out of the run of another job."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusionq.errors import CheckpointError
from fusionq.spec.paths import RunPaths
from fusionq.spec.targets import FROM, IGNORE, PREFIX, STRICT
from fusionq.spec.text_values import as_list

StateDict = Mapping[str, Any]

# Under which names training scripts keep the weights beside other things.
_KEYS = ("model", "state_dict", "model_state_dict")
# What DistributedDataParallel and torch.compile put before every name.
_WRAPPERS = ("module.", "_orig_mod.")
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")  # how torch names a class that it does not make
MOST_NAMES = 3  # that a message lists


@dataclass(frozen=True)
class WeightsSource:
    """Where weights come from and what of them is taken: `from`, `strict`, `prefix`, `ignore` of `model`."""

    place: str
    strict: bool = True
    prefix: str = ""
    ignore: tuple[str, ...] = ()

    @classmethod
    def of_model(cls, block: Mapping[str, Any]) -> WeightsSource:
        return cls(
            str(block[FROM]),
            block.get(STRICT, True),
            block.get(PREFIX, ""),
            tuple(as_list(block.get(IGNORE, ()))),
        )

    def ignores(self, name: str) -> bool:
        """Whether a tensor of the model is left as it is: by its name, that of its layer, or a pattern."""
        return any(
            name == word or name.startswith(f"{word}.") or fnmatchcase(name, word) for word in self.ignore
        )


@dataclass(frozen=True)
class Loaded:
    """What became of a load, by the names in the model and, for `left_over`, in the file."""

    taken: int
    ignored: list[str]
    missing: list[str]
    reshaped: list[str]
    left_over: list[str]

    def __str__(self) -> str:
        parts = [f"{self.taken} tensors"]
        for names, words in (
            (self.ignored, "ignored"),
            (self.missing, "not in the file"),
            (self.reshaped, "of another shape in the file"),
            (self.left_over, "left over in the file"),
        ):
            if names:
                parts.append(f"{words}: {', '.join(names)}")
        return "; ".join(parts)


def load_weights(model: nn.Module, block: Mapping[str, Any], paths: RunPaths, workdir: Path) -> Path:
    """Load what `model.from` names: a file, or the id of a job whose best model is meant.

    `block` is the job's `model`, `paths` are the run folder of the present job; other jobs' folders lie
    beside it. Raises CheckpointError.
    """
    source = WeightsSource.of_model(block)
    path = find_weights(source.place, paths.root.parent, workdir)
    loaded = fit(model, read_weights(path, source), source, path)
    print(f"weights from {path}: {loaded}", flush=True)
    return path


def find_weights(place: str, runs: Path, workdir: Path) -> Path:
    """The file that `model.from` means. Raises CheckpointError."""
    file = workdir / place
    if file.is_file():
        return file
    run = RunPaths(runs / place)
    if run.result.is_file():
        best = Path(json.loads(run.result.read_text(encoding="utf-8")).get("best_model") or "")
        # The folder may have moved since; the name in it has not.
        return run.best_models / best.name if best.name else run.best_models
    raise CheckpointError(f"model.from: there is neither a file {file} nor a finished run {run.root}")


def read_weights(path: Path, source: WeightsSource, device: str = "cpu") -> StateDict:
    """The tensors of a file by their names in the model; on the device "meta" only their shapes are read.

    Raises CheckpointError. No code that a file names is ever run.
    """
    tensors = _without_wrappers(_state_dict(_read(path, device), path), source.prefix)
    if not source.prefix:
        return tensors
    taken = {k.removeprefix(source.prefix): v for k, v in tensors.items() if k.startswith(source.prefix)}
    if not taken:
        heads = _few(sorted({name.partition(".")[0] for name in tensors}))
        raise CheckpointError(
            f"model.prefix: no name in {path} begins with {source.prefix!r}; they begin with {heads}"
        )
    return taken


def fit(model: nn.Module, tensors: StateDict, source: WeightsSource, path: Path) -> Loaded:
    """Load tensors into the model as `source` says. Raises CheckpointError where they do not fit."""
    own = model.state_dict()
    ignored = [name for name in own if source.ignores(name)]
    offered = {name: value for name, value in tensors.items() if not source.ignores(name)}
    reshaped = [name for name, value in offered.items() if name in own and _differs(own[name], value)]
    if reshaped and source.strict:
        name = reshaped[0]
        more = f" (and {len(reshaped) - 1} more)" if len(reshaped) > 1 else ""
        raise _misfit(path, f"{name} is {_size(offered[name])} there and {_size(own[name])} here{more}")
    taken = {name: value for name, value in offered.items() if name not in reshaped}
    try:
        found = model.load_state_dict(taken, strict=False)
    except Exception as error:
        raise _misfit(path, " ".join(str(error).split())[:300]) from error
    missing = [name for name in found.missing_keys if name not in ignored and name not in reshaped]
    left_over = list(found.unexpected_keys)
    if source.strict and (missing or left_over):
        words = [f"it lacks {_few(missing)}"] if missing else []
        words += [f"it has {_few(left_over)}, which the model has not"] if left_over else []
        raise _misfit(path, ", and ".join(words))
    if own and len(left_over) == len(taken):
        raise CheckpointError(
            f"model.from: nothing in {path} fits this model; its names are {_few(list(tensors))}, "
            f"the model's are {_few(list(own))}"
        )
    return Loaded(len(taken) - len(left_over), ignored, missing, reshaped, left_over)


def _misfit(path: Path, words: str) -> CheckpointError:
    return CheckpointError(
        f"model.from: {path} does not fit this model: {words}",
        hint="`model.ignore` names parts that are not loaded; `model.strict: false` takes what fits",
    )


def _read(path: Path, device: str) -> Any:
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path, device)
        try:
            return torch.load(path, map_location=device, weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):  # the old form of files cannot be mapped
                raise
            return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    """torch's own words advise to load the file unsafely."""
    text = " ".join(str(error).split())
    unsafe = _GLOBAL.search(text)
    if unsafe or "TorchScript" in text:
        kind = unsafe[1] if unsafe else "a TorchScript module"
        return CheckpointError(
            f"model.from: {path} holds more than tensors ({kind}) and is not loaded: that could run any code",
            hint="save its weights alone: torch.save(model.state_dict(), FILE)",
        )
    if isinstance(error, OSError | ImportError):
        return CheckpointError(f"model.from: {path} cannot be read: {text[:200]}")
    return CheckpointError(f"model.from: {path} is no file of weights, or is damaged")


def _read_safetensors(path: Path, device: str) -> StateDict:
    if device != "meta":
        from safetensors.torch import load_file

        return load_file(path, device)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _state_dict(found: Any, path: Path) -> StateDict:
    """The weights themselves, where a file holds them beside other things."""
    if isinstance(found, Mapping):
        for key in _KEYS:
            if isinstance(found.get(key), Mapping) and _has_weights(found[key]):
                return found[key]
        if not found or _has_weights(found):  # a model may have no weights
            return found
    keys = f"; its keys are {_few(list(map(str, found)))}" if isinstance(found, Mapping) else ""
    raise CheckpointError(
        f"model.from: {path} holds no weights, but a {type(found).__name__}{keys}",
        hint=f"weights are tensors by name, alone or under {' or '.join(map(repr, _KEYS))}",
    )


def _has_weights(found: Mapping[Any, Any]) -> bool:
    """Whether there are tensors, by names: an optimizer's are by number."""
    return all(isinstance(name, str) for name in found) and any(isinstance(v, Tensor) for v in found.values())


def _without_wrappers(tensors: StateDict, prefix: str) -> StateDict:
    for wrapper in _WRAPPERS:
        if not prefix.startswith(wrapper) and all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def _differs(own: Any, other: Any) -> bool:
    return isinstance(own, Tensor) and isinstance(other, Tensor) and own.shape != other.shape


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def _few(names: Collection[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(list(names)[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
