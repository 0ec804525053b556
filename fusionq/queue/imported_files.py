"""Which files of a folder some modules import, as far as their text says so; nothing is executed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fusionq.spec.own_modules import NEVER_OWN

MOST_FILES = 1_000


def imported_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Returns the files of the modules named and of those that they import, as paths seen from the folder."""
    found: dict[str, None] = {}
    waiting = list(names)
    seen: set[str] = set()
    while waiting and len(found) < MOST_FILES:
        name = waiting.pop()
        if name in seen or name.split(".")[0] in NEVER_OWN:
            continue
        seen.add(name)
        for module, path in _files_of(folder, name):
            if path not in found:
                found[path] = None
                waiting += _imports_of(folder / path, module)
    return list(found)


def _files_of(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yields a module's package files from the outermost in, then its own; what is no module ends it."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        inner = "/".join(parts[:end])
        if os.path.isfile(folder / inner / "__init__.py"):
            yield ".".join((*parts[:end], "__init__")), f"{inner}/__init__.py"
        elif os.path.isfile(folder / f"{inner}.py"):
            yield ".".join(parts[:end]), f"{inner}.py"
        elif not os.path.isdir(folder / inner):
            return


def _imports_of(path: Path, module: str) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # whoever imports it is told
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join((*above, *(node.module or "").split("."))).strip(".")
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names if alias.name != "*")
            if base:
                yield base
