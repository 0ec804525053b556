"""Symbolic links of a code folder: those that lead out of it are stored as what they lead to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.spec.secrets import is_secret_file
from fusionq.spec.units import format_bytes

# Data sets and checkpoints are linked to as well, and are no code.
MOST_FILE_BYTES = 1_000_000
MOST_FOLDER_BYTES = 10_000_000
MOST_FOLDER_FILES = 2_000

_MODULE = ".py"


class NotStoredError(FusionqError):
    """Something of a code folder is not stored; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One file to store: `path` within the folder, read from `source`; `link` is where a link leads."""

    path: str
    source: Path
    status: os.stat_result
    link: str = ""


def follow(folder: Path, path: str) -> Iterator[Entry]:
    """Yields what a link stands for. Raises NotStoredError, and OSError where it cannot be read."""
    real = Path(os.path.realpath(folder / path))
    if not real.exists():
        raise NotStoredError("it is a link to nothing")
    if real.is_relative_to(folder):
        yield Entry(path, folder / path, os.lstat(folder / path), _link_within(folder, path, real))
    elif is_secret_file(real.as_posix().removeprefix("/")):
        raise NotStoredError("by the name of its target it holds secrets")
    elif real.is_file():
        yield _file(path, real)
    elif real.is_dir() and not folder.is_relative_to(real):
        yield from _folder(path, real)
    else:
        raise NotStoredError("it is a link to no file and no folder of code")


def _link_within(folder: Path, path: str, real: Path) -> str:
    """Returns where the link leads, seen from its own folder, by no way that leaves the code folder."""
    target = os.readlink(folder / path)
    lexical = os.path.normpath(os.path.join(os.path.dirname(path), target))
    is_inside = not os.path.isabs(target) and lexical.split(os.sep)[0] != ".."
    return target if is_inside else os.path.relpath(real, (folder / path).parent)


def _file(path: str, real: Path) -> Entry:
    status = real.stat()
    if status.st_size > MOST_FILE_BYTES and real.suffix != _MODULE:
        raise NotStoredError(
            f"it is a link out of the folder, to a file of {format_bytes(status.st_size)}, more than the "
            f"{format_bytes(MOST_FILE_BYTES)} that are taken along"
        )
    return Entry(path, real, status)


def _folder(path: str, real: Path) -> list[Entry]:
    """Returns the files of a folder that is linked to, where these are a package and not data."""
    found: list[Entry] = []
    size = 0
    for place, folders, names in os.walk(real):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(names):
            source = Path(place, name)
            status = os.lstat(source)
            if name.startswith(".") or name.endswith(".pyc") or not stat.S_ISREG(status.st_mode):
                continue
            if is_secret_file(name):
                continue
            size += status.st_size
            found.append(Entry(f"{path}/{source.relative_to(real).as_posix()}", source, status))
            if size > MOST_FOLDER_BYTES or len(found) > MOST_FOLDER_FILES:
                raise NotStoredError(
                    f"it is a link out of the folder, to one of more than {MOST_FOLDER_FILES:,} files or "
                    f"{format_bytes(MOST_FOLDER_BYTES)}, which are not taken along"
                )
    if not any(entry.path.endswith(_MODULE) for entry in found):
        raise NotStoredError("it is a link out of the folder, to one without Python modules")
    return found
