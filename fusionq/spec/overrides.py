"""`key.path=value` from the command line, on top of a job file."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from fusionq.errors import Problem, SpecError
from fusionq.spec.reader import Path_, Source, read_text


def apply_overrides(source: Source, overrides: Iterable[str], environ: Mapping[str, str]) -> Source:
    """The source with every override in it; a later message names the override. Raises SpecError."""
    data, places, problems = copy.deepcopy(source.data), dict(source.places), []
    for override in overrides:
        name = f"override {override!r}"
        key, equals, text = override.partition("=")
        if not equals or not key.strip("."):
            problems.append(Problem(name, "write key.path=value, such as optimizer.lr=1e-2"))
            continue
        try:
            value = read_text(text, name, environ).data if text.strip() else None
            path = _put(data, key.split("."), value, name)
        except SpecError as error:
            problems += error.problems
            continue
        places = {p: where for p, where in places.items() if p[: len(path)] != path}
        places[path] = name
    if problems:
        raise SpecError(problems)
    return Source(source.name, data, places)


def _put(data: Any, steps: list[str], value: Any, name: str) -> Path_:
    """Put `value` at the path. Blocks on the way are made, list items must be there.

    Returns the path of the outermost value that is new: the override is where it stands.
    """
    path: Path_ = ()
    made: Path_ | None = None
    for step in steps[:-1]:
        key = _key(data, step, name)
        path = (*path, key)
        if isinstance(data, dict) and data.get(key) is None:
            data[key] = {}
            made = made or path
        data = data[key]
    key = _key(data, steps[-1], name)
    data[key] = value
    return made or (*path, key)


def _key(data: Any, step: str, name: str) -> str | int:
    if isinstance(data, dict):
        return step
    if isinstance(data, list):
        if step.isdecimal() and int(step) < len(data):
            return int(step)
        raise SpecError(
            [Problem(name, f"{step!r} is not an item of this list; it has items 0 to {len(data) - 1}")]
        )
    raise SpecError([Problem(name, f"there is nothing below {step!r}: its parent is a plain value")])
