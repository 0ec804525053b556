"""Reads what the kernel tells of a process."""

from __future__ import annotations

from pathlib import Path

STATE, BEGINNING, EXIT_CODE = 0, 19, 49  # places in what `stat_of` returns


def stat_of(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat behind the name, see proc(5). Raises OSError without it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
