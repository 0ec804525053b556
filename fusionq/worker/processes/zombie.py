"""Finds out how a process ended whose parent has not asked yet."""

from __future__ import annotations

import os
from pathlib import Path

_STATE, _EXIT_CODE = 0, 49  # places in /proc/PID/stat behind the name, see proc(5)


def exit_code_of_zombie(pid: int) -> int | None:
    """Returns its exit code, negative for a signal; None where it lives, is gone, or cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return os.waitstatus_to_exitcode(int(fields[_EXIT_CODE])) if fields[_STATE] == "Z" else None
