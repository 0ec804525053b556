"""From `_target_` blocks to objects."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusionq.engine.user_modules import is_users, why_hidden
from fusionq.errors import EngineError, TargetError
from fusionq.spec.near import did_you_mean
from fusionq.spec.printable import text_of
from fusionq.spec.targets import ARGS, TARGET


@dataclass(frozen=True)
class Supplied:
    """An argument that fusionq gives to a block and to those blocks among its arguments that take it."""

    name: str
    value: Any

    def arguments(self, target: Any, *, is_outermost: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The value as the target takes it: first, or by its name where that stands later."""
        if takes_later(target, self.name):
            return (), {self.name: self.value}
        return ((self.value,), {}) if is_outermost or takes(target, self.name) else ((), {})


def build(block: Mapping[str, Any], place: str, *args: Any, supplied: Supplied | None = None) -> Any:
    """Call the target of `block` with `args`, then its own arguments. Raises TargetError.

    `place` is the block's path in the job file, such as `model`; blocks among the arguments are built first.
    """
    return _build(block, place, args, supplied, is_outermost=True)


def _build(
    block: Mapping[str, Any],
    place: str,
    args: tuple[Any, ...],
    supplied: Supplied | None,
    *,
    is_outermost: bool,
) -> Any:
    target = find_target(block[TARGET], place)
    more, by_name = supplied.arguments(target, is_outermost=is_outermost) if supplied else ((), {})
    own_args, own_kwargs = build_arguments(block, place, supplied)
    return call(target, place, (*args, *more, *own_args), {**by_name, **own_kwargs})


def build_arguments(
    block: Mapping[str, Any], place: str, supplied: Supplied | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of a block, with blocks among them built."""
    args = [_value(item, f"{place}.{ARGS}.{i}", supplied) for i, item in enumerate(block.get(ARGS, ()))]
    own = {key: value for key, value in block.items() if key not in (TARGET, ARGS)}
    return args, {key: _value(value, f"{place}.{key}", supplied) for key, value in own.items()}


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
        if is_users(parts[0]) and (hidden := why_hidden(parts[0])):
            raise TargetError(f"{place}: {name}: {hidden}")  # what a worker has imported may differ
        for i, part in enumerate(parts[end:], end):
            if not hasattr(found, part):
                owner = ".".join(parts[:i])
                names = [n for n in dir(found) if not n.startswith("_")]
                hidden = why_hidden(parts[0])
                better = f"; {hidden}" if hidden else did_you_mean(part, names)
                raise TargetError(f"{place}: {owner} has no {part!r}{better}")
            found = getattr(found, part)
        return found
    raise TargetError(
        f"{place}: there is no module {parts[0]!r} on this worker; install it, or submit from its folder"
    )


def takes(target: Any, parameter: str) -> bool:
    """Whether calling `target` with that keyword can work."""
    return parameter in _parameters(target)


def first_taken(target: Any, names: Sequence[str]) -> str | None:
    """Returns the first of these names by which `target` takes an argument."""
    return next((name for name in names if takes(target, name)), None)


def takes_later(target: Any, parameter: str) -> bool:
    """Whether `target` takes it, and another one first."""
    return parameter in _parameters(target)[1:]


def _parameters(target: Any) -> list[str]:
    try:
        return list(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return []


def _value(value: Any, place: str, supplied: Supplied | None) -> Any:
    if isinstance(value, list):
        return [_value(item, f"{place}.{i}", supplied) for i, item in enumerate(value)]
    if isinstance(value, dict):
        if TARGET in value:
            return _build(value, place, (), supplied, is_outermost=False)
        return {key: _value(item, f"{place}.{key}", supplied) for key, item in value.items()}
    return value


def _first_line(error: Exception) -> str:
    text = text_of(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
