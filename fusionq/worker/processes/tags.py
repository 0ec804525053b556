"""The marks of a job where other processes can read them: in what `/proc/PID/environ` shows.

That is the environment that a process was started with, as it lies in its memory, and a job process was
started as the fork server. So the server is started with room for marks, and a job writes its own there.
Whatever it forks shows them too, also what leaves its session and outlives its parent; whatever it starts
as a program has them in its environment like any other variable.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

NAME = "FUSIONQ_MARKS"
ROOM = 500


def room() -> dict[str, str]:
    """A variable for the environment of the fork server."""
    return {NAME: " " * ROOM}


def wear(marks: Mapping[str, str]) -> None:
    """Let this process show these marks, and what it forks from now on."""
    os.environ.update(marks)
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    address = getenv(NAME.encode())
    os.environ.pop(NAME, None)
    shown = "".join(f"{name}={value}\0" for name, value in marks.items()).encode()
    rest = f"{NAME}=".encode()
    size = len(rest) + ROOM
    if not address or ctypes.string_at(address) != b" " * ROOM or len(shown) + len(rest) > size:
        return  # not started by a launcher, or very long: its session and its children still tell
    ctypes.memmove(address - len(rest), (shown + rest).ljust(size), size)
