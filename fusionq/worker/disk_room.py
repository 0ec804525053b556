"""Checks whether the folders of a worker take what its jobs write.

A worker without room takes no jobs: each would fail within seconds, and soon the whole queue with them.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from fusionq.spec.private import make_folder
from fusionq.spec.units import format_bytes

LEAST_BYTES = 100_000_000  # below it, a folder is full, or below a hundredth of a small disk
ENOUGH_BYTES = 2_000_000_000  # from here on a folder that was full is not, or from a twentieth on
PROBE_BYTES = 1_000_000


class DiskRoom:
    """`problem` says in words why nothing can be written; '' where all is well."""

    def __init__(self, folders: Sequence[Path], umask: int) -> None:
        self._folders = folders
        self._umask = umask
        self._lock = threading.Lock()
        self.problem = ""
        self._last_problem = ""
        self._last_seen_at = -math.inf

    def check(self, *, is_suspect: bool = False) -> bool:
        """Look again. Returns whether the problem changed.

        A folder that was full, or is suspect because a job failed to write, needs more room than another, and
        something is written to it: a quota shows in no other way.
        """
        with self._lock:
            is_strict = is_suspect or bool(self.problem)
            found = (_problem_of(folder, self._umask, is_strict) for folder in self._folders)
            before, self.problem = self.problem, next(filter(None, found), "")
            if self.problem:
                self._last_problem, self._last_seen_at = self.problem, time.monotonic()
            return self.problem != before

    def problem_since(self, moment: float) -> str:
        """Returns the last problem that was seen since a time of the monotonic clock; '' where none was."""
        with self._lock:
            return self._last_problem if self._last_seen_at >= moment else ""


def free_bytes(folder: Path) -> tuple[int, int]:
    """Returns how many bytes are free for us on the disk of a folder, and how many it has."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize


def _problem_of(folder: Path, umask: int, is_strict: bool) -> str:
    try:
        make_folder(folder, umask)
        free, size = free_bytes(folder)
        least = min(LEAST_BYTES, size // 100)
        enough = min(ENOUGH_BYTES, size // 20)
        if free < (enough if is_strict else least):
            return (
                f"{folder} is full ({format_bytes(free)} free); "
                f"it takes jobs again from {format_bytes(enough)} on"
            )
        if is_strict:
            _write_probe(folder)
        elif not os.access(folder, os.W_OK | os.X_OK):
            return f"{folder} cannot be written"
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror or error}"
    return ""


def _write_probe(folder: Path) -> None:
    path = folder / f".fusionq-room-{os.getpid()}"
    try:
        with path.open("wb") as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    finally:
        path.unlink(missing_ok=True)
