"""Values that are text whatever they look like: `OMP_NUM_THREADS: 4` and `tags: 2026` need no quotes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

Path_ = tuple[str | int, ...]

ENV = "env"
_SWEEP_PARAMS = ("sweep", "params")
_ANY = "*"
_TEXT = {
    ("name",),
    ("queue",),
    ("tags",),
    (ENV, _ANY),
    ("resources", "gpu_type"),
    ("resources", "labels", _ANY),
    ("after",),
    ("after", "jobs"),
    ("model", "from"),
    ("code", "path"),
    ("code", "exclude"),
}


def is_text(path: Path_) -> bool:
    """Returns whether a plain scalar at this path is text as it is written; items count as their list."""
    keys = tuple(part for part in path if isinstance(part, str))
    if keys[:2] == _SWEEP_PARAMS and len(keys) > 2:
        keys = tuple(keys[2].split("."))  # the key that the sweep changes
    return keys in _TEXT or (*keys[:-1], _ANY) in _TEXT


def as_text(value: Any) -> Any:
    """Returns a number, or true and false, of a program's own data as a job file would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def as_list(value: Any) -> Any:
    """Returns a single value as a list of one."""
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


AS_TEXT = BeforeValidator(as_text)
AS_LIST = BeforeValidator(as_list)
Text = Annotated[str, AS_TEXT]
