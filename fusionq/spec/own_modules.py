"""Which modules of the user's own a job names, and in which folder they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any

from fusionq.spec.targets import TARGET

# The worker's own; a checkout of fusionq holds them too.
NEVER_OWN = ("fusionq", "torch", "torchvision")


def modules_named(data: Any) -> Iterator[str]:
    """Yields the import path of every object that a job's data names."""
    if isinstance(data, Mapping):
        yield from (name for name in (data.get(TARGET), data.get("collate_fn")) if isinstance(name, str))
        for value in data.values():
            yield from modules_named(value)
    elif isinstance(data, list):
        for item in data:
            yield from modules_named(item)


def is_in(folder: Path, name: str) -> bool:
    """Returns whether the module or package that an import path begins with lies in a folder."""
    first = name.split(".")[0]
    places = (folder / f"{first}{suffix}" for suffix in ("", *all_suffixes()))
    return first not in NEVER_OWN and any(map(os.path.exists, places))  # False for a name that is too long


def names_own_code(data: Any, folder: Path) -> bool:
    """Returns whether a job's data names an object in a module that lies in `folder`.

    A package that is installed is not looked for, although an editable one may lie in the folder too: it is
    imported from where it is installed, and is no more frozen than any other.
    """
    return any(is_in(folder, name) for name in modules_named(data))
