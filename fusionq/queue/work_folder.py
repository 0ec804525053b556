"""The folder that a job is submitted from, and that it will run in."""

from __future__ import annotations

import os
from pathlib import Path

from fusionq.errors import UsageError


def work_folder(given: str | Path | None = None) -> Path:
    """Returns the given folder, or the current one. Raises UsageError where no job could run there."""
    folder = Path(given) if given is not None else _current()
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(folder).decode(errors="backslashreplace")
        raise UsageError(
            f"this folder's name is not UTF-8: {shown}", hint="submit from another, or rename it"
        ) from None
    return folder


def _current() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the folder you are in is gone", hint="change to one that is there, such as: cd ~"
        ) from None
