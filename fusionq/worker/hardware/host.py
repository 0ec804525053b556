"""The memory of this machine, and how much of it a job uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from fusionq.spec.units import format_bytes

LOOK_S = 1.0

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def host_memory() -> int:
    """Bytes that processes of this machine, or of this container, may use together."""
    limits = [int(text) for path in _CGROUP_LIMITS if (text := _read(path)).strip().isdecimal()]
    return min([psutil.virtual_memory().total, *limits])


class MemoryLimit:
    """Whether a job keeps to the memory that it asked for; None: it did not."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._next_look = 0.0

    def excess_of(self, pids: Callable[[], Iterable[int]]) -> str:
        """Why the processes are to be stopped, in words; '' where they keep to it. Looks once a second."""
        if self._limit is None or time.monotonic() < self._next_look:
            return ""
        used = memory_of(pids())
        self._next_look = time.monotonic() + LOOK_S
        if used <= self._limit:
            return ""
        return f"it used {format_bytes(used)} of memory; it asked for {format_bytes(self._limit)}"


def memory_of(pids: Iterable[int]) -> int:
    """Bytes that these processes use together. A page that many share counts for each by its part of it."""
    return sum(map(_proportional, pids))


def _proportional(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
