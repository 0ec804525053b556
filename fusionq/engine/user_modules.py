"""Where the user's own modules are imported from, the same for a job and for its check.

A job process has imported much before it knows its job. Of what is there by accident, such as a library that
only fusionq uses, a module of the user's of the same name takes the place, as it would under plain Python.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# What trains a job, and what that cannot do without: a name of these is never the user's.
_NEEDED = frozenset(
    {"fusionq", "torch", "torchvision", "torchgen", "functorch", "triton", "numpy", "sympy", "mpmath", "PIL"}
    | {"yaml", "pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"}
)
_SUFFIXES = tuple(importlib.machinery.all_suffixes())

_folders: list[str] = []
_same: set[str] = set()  # modules that were loaded from a folder of the user's before it was one


def import_from(folders: Sequence[str]) -> None:
    """Put the folders first on the import path, and forget the modules that theirs take the place of."""
    sys.path[:0] = folders
    _folders[:0] = folders
    # Whoever works in a checkout of fusionq has it there, and it is the one that runs.
    _same.update(name for name in _NEEDED if is_users(name))
    names = {name for name in _names_in(folders) if name in sys.modules and not _is_taken(name)}
    for loaded in list(sys.modules) if names else ():
        if loaded.partition(".")[0] in names:
            del sys.modules[loaded]


def why_hidden(module: str) -> str:
    """Returns why the user's own module of this name is not the one that is imported; '' where it is none."""
    if not _is_taken(module) or module in _same or module not in _names_in(_folders):
        return ""
    owner = "Python" if module in sys.stdlib_module_names else "fusionq"
    return f"your own module {module} has the name of one that {owner} needs; rename yours"


def is_users(module: str) -> bool:
    """Returns whether a module that was imported lies in a folder of the user's."""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return any(file.startswith(folder + os.sep) for folder in _folders)


def _is_taken(name: str) -> bool:
    return name in _NEEDED or name in sys.stdlib_module_names


def _names_in(folders: Iterable[str]) -> Iterator[str]:
    """The modules and packages that can be imported from there."""
    for folder in folders:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(_SUFFIXES):
                yield entry.name.partition(".")[0]
            elif Path(entry, "__init__.py").is_file():
                yield entry.name
