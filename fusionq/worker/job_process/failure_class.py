"""What kind of failure an exception of a job is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
import torch.distributed as dist

from fusionq.errors import EngineError, UsageError
from fusionq.spec.failures import CRASH, DISK_FULL, ERROR, HOST_OOM, IMPORT_ERROR, OOM, WORKER_LOST
from fusionq.spec.printable import text_of
from fusionq.worker.hardware.disk import is_disk_full

# Torch has no class of its own for these.
_WORDS = ("out of memory", "can't allocate memory")
_PEER_LOST = re.compile("gloo.*(Connection (closed|reset) by|Broken pipe|Timed out)", re.DOTALL)
_LOADER_DIED = re.compile(r"DataLoader worker .* is killed by signal: ([A-Z][a-z ]+[a-z])")


def failure_class(error: BaseException) -> str:
    """The class of failure by its name in `fusionq.spec.failures`."""
    if any(map(_is_out_of_memory, _causes(error))):
        return OOM
    if is_disk_full(error):
        return DISK_FULL
    if death := next(filter(None, map(_death_of_a_loader, _causes(error))), ""):
        return death
    if is_lost_peer(error):
        return WORKER_LOST
    if isinstance(error, EngineError):
        return error.failure_class
    if isinstance(error, UsageError | ImportError | SyntaxError):
        return IMPORT_ERROR
    return ERROR


def _is_out_of_memory(error: BaseException) -> bool:
    """On the device or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in text_of(error) for words in _WORDS)


def _death_of_a_loader(error: BaseException) -> str:
    """A process that loads data for the job dies as the job itself would; '' where none did."""
    found = _LOADER_DIED.search(text_of(error)) if isinstance(error, RuntimeError) else None
    if found is None:
        return ""
    return HOST_OOM if found[1] in ("Killed", "Bus error") else CRASH  # Bus error: no more shared memory


def is_lost_peer(error: BaseException) -> bool:
    """Whether a rank only lost another; why, that one may know."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_PEER_LOST.search(text_of(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself, and those that it wraps: building a model may run out of memory too."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
