"""Checks of the machine: shared memory and the limits of a process."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from fusionq.client.doctor.finding import Finding, ok, warning
from fusionq.spec.settings import Settings
from fusionq.spec.units import format_bytes

SHARED_MEMORY = Path("/dev/shm")
LITTLE_SHARED_MEMORY = 1 << 30
FEW_FILES = 1024
FEW_PROCESSES = 1024


def check_shared_memory(settings: Settings) -> Iterator[Finding]:
    """Yields whether the processes of a DataLoader can pass batches on."""
    if not SHARED_MEMORY.is_dir():
        yield ok("shared memory", f"there is no {SHARED_MEMORY} here")
        return
    usage = shutil.disk_usage(SHARED_MEMORY)
    told = f"{format_bytes(usage.free)} of {format_bytes(usage.total)} free in {SHARED_MEMORY}"
    if usage.free < LITTLE_SHARED_MEMORY:
        yield warning(
            "shared memory",
            f"{told}; a DataLoader with processes ends with a bus error when it is full",
            "in Docker: --shm-size=8g or --ipc=host",
        )
    else:
        yield ok("shared memory", told)


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Yields the limits of this process, which a worker started here inherits."""
    yield _limit("open files", resource.RLIMIT_NOFILE, FEW_FILES, "ulimit -n 65536")
    yield _limit("processes", resource.RLIMIT_NPROC, FEW_PROCESSES, "ulimit -u 8192")


def _limit(what: str, kind: int, few: int, remedy: str) -> Finding:
    soft, _ = resource.getrlimit(kind)
    told = "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,} {what} at most"
    if soft != resource.RLIM_INFINITY and soft < few:
        return warning(f"limit of {what}", told, f"raise it where workers start: {remedy}")
    return ok(f"limit of {what}", told)
