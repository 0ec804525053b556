"""References to variables of a worker's environment: `env:NAME` in `env` and in `notify`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fusionq.errors import WorkerError

REFERENCE = "env:"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_reference(text: str) -> bool:
    """Returns whether the text is `env:NAME`; it may be a wrong one."""
    return text.startswith(REFERENCE)


def variable_of(text: str) -> str:
    """Returns NAME of `env:NAME`. Raises ValueError where that cannot be the name of a variable."""
    name = text.removeprefix(REFERENCE)
    if not _NAME.fullmatch(name):
        raise ValueError("behind env: comes the name of an environment variable, such as env:API_KEY")
    return name


def check_value(text: str) -> str:
    """Returns the value of a variable as it is. Raises ValueError for a reference that is none."""
    if is_reference(text):
        variable_of(text)
    return text


def resolve_environment(env: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Returns a job's `env` with every reference looked up. Raises WorkerError for an unset variable."""
    return {key: _look_up(key, value, environ) for key, value in env.items()}


def _look_up(key: str, value: str, environ: Mapping[str, str]) -> str:
    if not is_reference(value):
        return value
    name = variable_of(value)
    if name not in environ:
        raise WorkerError(
            f"env.{key}: the worker's environment has no variable {name}",
            hint=f"start the worker with {name} set, then retry the job",
        )
    return environ[name]
