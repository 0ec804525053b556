"""Makes folders and files that other users of the machine cannot read, unless `umask` lets them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

PRIVATE = 0o077


def make_folder(path: Path, umask: int = PRIVATE) -> None:
    """Makes a folder and what is missing above it. One that is there keeps its permissions."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent, umask)
    try:
        path.mkdir(mode=0o777 & ~umask)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    with suppress(OSError):  # a file system without permissions
        path.chmod(0o777 & ~umask)  # mkdir itself obeys the umask of the process, too


def open_file(path: Path, umask: int = PRIVATE) -> IO[bytes]:
    """Opens a new, empty file for writing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with suppress(OSError):
        os.fchmod(descriptor, 0o666 & ~umask)
    return open(descriptor, "wb")
