"""Which kinds of objects there are to a checkpoint, and what an object is made of."""

from __future__ import annotations

import io
import sys
import types
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

PLAIN = frozenset({type(None), bool, int, float, str})
"""Types of values that stand for themselves."""
PLAIN_LIBRARIES = frozenset({"datetime", "decimal", "fractions", "pathlib"})
"""Modules of the standard library whose immutable values are written as class and arguments."""
_FOR_OUTPUT = frozenset(
    (
        *("concurrent", "contextlib", "functools", "logging", "multiprocessing", "threading"),
        *("types", "weakref", "_thread"),
        *("matplotlib", "mlflow", "rich", "tensorboard", "tensorboardX", "tqdm", "wandb"),
    )
)
"""Packages whose objects write, draw or call: nothing of a training depends on what they hold."""
_WALKED_OF_STDLIB = (types.SimpleNamespace, Namespace)
_LOADER_PARTS = ("generator", "sampler", "batch_sampler", "dataset")
_TRAINED = "requires_grad of parameters"
_MODULE_PARTS = frozenset(vars(nn.Module())) | {"_compiled_call_impl"}


def class_name(cls: type) -> str:
    """Returns the name by which `find_class` finds a class again."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_class(name: str) -> Any:
    """Returns what `class_name` names, out of the modules that are imported; else None."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def keeps_nothing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the `state_dict` of a base class that leaves it to the attributes, unless it is overridden."""
    method.keeps_nothing = True  # type: ignore[attr-defined]
    return method


def has_state_dict(value: Any) -> bool:
    """Whether an object says itself what its state is."""
    save, load = (getattr(type(value), name, None) for name in ("state_dict", "load_state_dict"))
    return callable(save) and callable(load) and not getattr(save, "keeps_nothing", False)


def is_constant(value: Any) -> bool:
    """Whether an object holds nothing that training changes: code, names, what is written to."""
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.ModuleType):
        return True
    if isinstance(value, types.MethodType | types.MethodWrapperType | property):
        return True
    if isinstance(value, io.IOBase):
        return value.closed or not value.readable()
    if isinstance(value, Iterator) or is_walked(value):
        return False
    return _package_of(value) in (*_FOR_OUTPUT, "torch", "builtins", "fusionq")


def is_walked(value: Any) -> bool:
    """Whether an object is the sum of its attributes: an instance of a class written in Python."""
    if isinstance(value, _WALKED_OF_STDLIB) or holds_data(value) or _leaves_it_to_attributes(value):
        return True
    if type(value).__new__ is not object.__new__:
        return False
    package = _package_of(value)
    if package == "torch":  # what holds a state there has a state_dict, but for these
        return type(value).__module__.startswith("torch.distributions.")
    is_foreign = package in _FOR_OUTPUT or package in sys.stdlib_module_names or package == "fusionq"
    return not is_foreign and (hasattr(value, "__dict__") or bool(_slots_of(value)))


def holds_data(value: Any) -> bool:
    """Whether an object holds data to train on, which are too large for a checkpoint, and do not change."""
    return isinstance(value, Dataset | DataLoader | Sampler | BatchSampler)


def attributes_of(value: Any) -> dict[str, Any]:
    """Returns the attributes of an instance, modules first: others may refer to their parameters."""
    if isinstance(value, DataLoader):
        return {name: getattr(value, name, None) for name in _LOADER_PARTS}
    found = dict(getattr(value, "__dict__", {}))
    found |= {name: getattr(value, name) for name in _slots_of(value) if hasattr(value, name)}
    return dict(sorted(found.items(), key=lambda item: not isinstance(item[1], nn.Module)))


def persistent_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Returns the parameters of a module and those of its buffers that its state dict holds, by name."""
    found: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    for path, inner in module.named_modules():
        for name, buffer in inner._buffers.items():
            if buffer is not None and name not in inner._non_persistent_buffers_set:
                found[f"{path}.{name}" if path else name] = buffer
    return found


def extras_of(module: nn.Module) -> dict[str, Any]:
    """Returns what a module keeps outside its state dict.

    That is: attributes, buffers that are not persistent, its mode, and which of its parameters are trained.
    """
    found: dict[str, Any] = {name: module._buffers[name] for name in module._non_persistent_buffers_set}
    found["training"] = module.training
    if module._parameters:
        found[_TRAINED] = {n: p.requires_grad for n, p in module._parameters.items() if p is not None}
    own = {name: value for name, value in vars(module).items() if name not in _MODULE_PARTS}
    if type(module).__module__.startswith("torch."):  # those of torch keep numbers and texts, as p of Dropout
        own = {name: value for name, value in own.items() if type(value) in PLAIN}
    return found | own


def set_attribute(owner: Any, name: str, value: Any) -> None:
    """Set an attribute without running the code of the object's class, where that can be."""
    if isinstance(owner, nn.Module) and name == _TRAINED:
        for parameter, is_trained in value.items():
            if owner._parameters.get(parameter) is not None:
                owner._parameters[parameter].requires_grad_(is_trained)
    elif isinstance(owner, nn.Module) and name in owner._buffers:
        owner._buffers[name] = value
    elif hasattr(owner, "__dict__") and name not in _slots_of(owner):
        owner.__dict__[name] = value
    else:
        object.__setattr__(owner, name, value)


def describe(value: Any) -> str:
    """Returns what a user would call a value that is not saved."""
    if isinstance(value, io.IOBase):
        return "an open file"
    if isinstance(value, Iterator):
        return f"an open iterator, {type(value).__name__}"
    return type(value).__name__


def _leaves_it_to_attributes(value: Any) -> bool:
    return getattr(getattr(type(value), "state_dict", None), "keeps_nothing", False)


def _package_of(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _slots_of(value: Any) -> list[str]:
    slots: list[str] = []
    for cls in type(value).__mro__:
        own = vars(cls).get("__slots__", ())
        slots += [own] if isinstance(own, str) else own
    return [name for name in slots if name not in ("__dict__", "__weakref__")]
