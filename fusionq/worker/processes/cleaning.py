"""Processes that clean up after a job: they remove its named shared memory once all others are gone."""

from __future__ import annotations

from pathlib import Path

CLEANING_S = 1.0  # how long they may take

# Python's own, for multiprocessing.shared_memory and semaphores, and torch's, for tensors between processes.
_NAMES = (b"multiprocessing.resource_tracker", b"torch_shm_manager")


def cleans_up(pid: int) -> bool:
    """Returns whether it is such a process."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(name in command for name in _NAMES)
