"""From `_target_` blocks to objects."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusionq.errors import EngineError, TargetError
from fusionq.spec.near import did_you_mean
from fusionq.spec.printable import text_of
from fusionq.spec.targets import ARGS, TARGET


def build(block: Mapping[str, Any], place: str, *args: Any, **kwargs: Any) -> Any:
    """Call the target of `block` with `args`, then its own arguments. Raises TargetError.

    `place` is the block's path in the job file, such as `model`; blocks among the arguments are built first.
    """
    target = find_target(block[TARGET], place)
    own_args, own_kwargs = build_arguments(block, place)
    return call(target, place, (*args, *own_args), {**kwargs, **own_kwargs})


def build_arguments(block: Mapping[str, Any], place: str) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of a block, with blocks among them built."""
    args = [_value(item, f"{place}.{ARGS}.{i}") for i, item in enumerate(block.get(ARGS, ()))]
    kwargs = {key: _value(v, f"{place}.{key}") for key, v in block.items() if key not in (TARGET, ARGS)}
    return args, kwargs


def call(
    target: Callable[..., Any],
    place: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    let_pass: tuple[type[Exception], ...] = (),
) -> Any:
    """Call `target`; whatever it raises, but for `let_pass`, becomes a TargetError that names the place."""
    try:
        return target(*args, **kwargs)
    except (EngineError, *let_pass):
        raise
    except Exception as error:
        name = getattr(target, "__name__", str(target))
        raise TargetError(f"{place}: {name}: {_first_line(error)}") from error


def find_target(name: str, place: str) -> Any:
    """The object at a dotted path. Raises TargetError."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module_name = ".".join(parts[:end])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # Only our own path may be missing; a module that lacks one of its imports must say so.
            if error.name and (module_name + ".").startswith(error.name + "."):
                continue
            raise TargetError(f"{place}: {name}: {_first_line(error)}") from error
        except Exception as error:
            raise TargetError(f"{place}: importing {module_name}: {_first_line(error)}") from error
        for i, part in enumerate(parts[end:], end):
            if not hasattr(found, part):
                owner = ".".join(parts[:i])
                names = [n for n in dir(found) if not n.startswith("_")]
                raise TargetError(f"{place}: {owner} has no {part!r}{did_you_mean(part, names)}")
            found = getattr(found, part)
        return found
    raise TargetError(
        f"{place}: there is no module {parts[0]!r} on this worker; install it, or submit from its folder"
    )


def takes(target: Any, parameter: str) -> bool:
    """Whether calling `target` with that keyword can work."""
    try:
        return parameter in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False


def _value(value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_value(item, f"{place}.{i}") for i, item in enumerate(value)]
    if isinstance(value, dict):
        if TARGET in value:
            return build(value, place)
        return {key: _value(item, f"{place}.{key}") for key, item in value.items()}
    return value


def _first_line(error: Exception) -> str:
    text = text_of(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
