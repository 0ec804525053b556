"""Write `fusionq/spec/catalog.json` from the torch and torchvision that are installed here.

Run `python tools/make_catalog.py` after a new release of either, or after a change of fusionq's own
names, and commit the result.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torchvision
from torch.optim.lr_scheduler import LRScheduler
from torchvision.transforms.v2 import Transform

import fusionq

MODULES = (
    "torch.nn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils.data",
    "torchvision.datasets",
    "torchvision.models",
    "torchvision.transforms.v2",
    "fusionq",
)
OUTPUT = Path(fusionq.__file__).parent / "spec" / "catalog.json"

QUEUE = "fusionq.client"  # the queue from Python is no part of a job

# Layers that are losses to some and parts of a network to others: of no kind, so that each may use them.
EITHER_WAY = ("torch.nn.modules.distance", "torch.nn.modules.adaptive")


def public_names(module_name: str) -> list[str]:
    """Classes and functions that the module itself offers."""
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    values = {name: getattr(module, name, None) for name in names}
    return sorted(
        name
        for name, v in values.items()
        if (inspect.isclass(v) or inspect.isfunction(v)) and not v.__module__.startswith(QUEUE)
    )


def kind(value: object, module_name: str) -> str:
    """What a target makes, in the words of `fusionq.spec.kinds`; empty where it cannot be said."""
    if inspect.isfunction(value) or not isinstance(value, type):
        return "model" if module_name == "torchvision.models" and _makes_a_module(value) else ""
    for base, word in (
        (torch.optim.Optimizer, "optimizer"),
        (LRScheduler, "lr_scheduler"),
        (torch.utils.data.Dataset, "dataset"),
        (torch.utils.data.Sampler, "sampler"),
        (Transform, "transform"),
        (fusionq.BaseModel, "trainer"),
        (fusionq.Metric, "metric"),
        (fusionq.Callback, "callback"),
    ):
        if issubclass(value, base):
            return word
    is_called = "__call__" in dir(value) and not issubclass(value, enum.Enum)
    if module_name == "torchvision.transforms.v2" and is_called:  # such as Compose
        return "transform"
    return _kind_of_module(value, module_name) if issubclass(value, torch.nn.Module) else ""


def _kind_of_module(value: type, module_name: str) -> str:
    if value.__module__ in EITHER_WAY:
        return ""
    if value.__module__ == "torch.nn.modules.loss":
        return "loss"
    return "model" if module_name == "torchvision.models" else "layer"


def _makes_a_module(function: object) -> bool:
    made = typing.get_type_hints(function).get("return")
    return isinstance(made, type) and issubclass(made, torch.nn.Module)


def signature(value: Callable[..., object]) -> str | None:
    """The parameters as `fusionq.spec.signatures` reads them; None where they cannot be known."""
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return None
    if getattr(value, "__init__", None) is torch.nn.Module.__init__:
        return ""  # it says (*args, **kwargs), and refuses every argument
    by_init = inspect.isfunction(getattr(value, "__init__", None))
    overloads = typing.get_overloads(value.__init__) if by_init else []
    try:
        found = inspect.signature(overloads[0] if overloads else value)
    except (TypeError, ValueError):
        return None
    parameters = list(found.parameters.values())[1 if overloads else 0 :]
    # A wrapped function may take more by position than the one that it wraps.
    takes_more = inspect.isfunction(value) and hasattr(value, "__wrapped__")
    return compact(parameters, hints_of(value), any_by_position=takes_more)


def takes_numbers_alone(hint: object) -> bool:
    """Whether a parameter of this type is a number, several, or none; a text never is one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = set(typing.get_args(hint)) - {type(None), torch.Tensor}
        return bool(kinds) and all(map(takes_numbers_alone, kinds))
    if typing.get_origin(hint) in (tuple, list):
        return all(map(takes_numbers_alone, set(typing.get_args(hint)) - {Ellipsis}))
    return hint in (int, float)


def hints_of(value: Callable[..., object]) -> dict[str, object]:
    """The types of the parameters; {} where they cannot be known."""
    try:
        return typing.get_type_hints(value.__init__ if isinstance(value, type) else value)
    except Exception:
        return {}


def compact(
    parameters: Iterable[inspect.Parameter], hints: dict[str, object], *, any_by_position: bool = False
) -> str:
    """`(a, b=1, *, c=2, **d)` as `a b= * c= **d`, with a `#` behind each number."""
    words: list[str] = []
    only_by_keyword = any_by_position
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not only_by_keyword:
            words.append("*")
        only_by_keyword |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        has_default = parameter.default is not parameter.empty
        number = "#" if not stars and takes_numbers_alone(hints.get(parameter.name)) else ""
        words.append(stars + parameter.name + ("=" if has_default else "") + number)
    return " ".join(words)


def entries(module_name: str) -> dict[str, list[str]]:
    """Every name of a module with its kind and, where it is known, its signature."""
    module = importlib.import_module(module_name)
    found = {}
    for name in public_names(module_name):
        value = getattr(module, name)
        parameters = signature(value)
        found[name] = [kind(value, module_name), *([] if parameters is None else [parameters])]
    return found


def as_text(versions: dict[str, str], names: dict[str, dict[str, list[str]]]) -> str:
    """JSON with one name a line, so that a new release shows in a diff."""
    modules = []
    for module, its_names in names.items():
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(its_names[name])}" for name in its_names)
        modules.append(f" {json.dumps(module)}: {{\n{lines}\n }}")
    return f'{{\n"versions": {json.dumps(versions)},\n"names": {{\n' + ",\n".join(modules) + "\n}\n}\n"


def main() -> None:
    names = {module: entries(module) for module in MODULES}
    versions = {p.__name__: p.__version__.split("+")[0] for p in (torch, torchvision)}
    OUTPUT.write_text(as_text(versions, names))
    print(f"{OUTPUT}: {sum(map(len, names.values()))} names")


if __name__ == "__main__":
    main()
