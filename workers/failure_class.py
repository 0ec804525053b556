"""What kind of failure an exception of a job is."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from fusionq.errors import EngineError, UsageError
from fusionq.spec.failures import DISK_FULL, ERROR, IMPORT_ERROR, OOM
from workers.disk import is_disk_full

# Torch has no class of its own for these.
_WORDS = ("out of memory", "can't allocate memory")


def failure_class(error: BaseException) -> str:
    """The class of failure by its name in `fusionq.spec.failures`."""
    if any(map(_is_out_of_memory, _causes(error))):
        return OOM
    if is_disk_full(error):
        return DISK_FULL
    if isinstance(error, EngineError):
        return error.failure_class
    if isinstance(error, UsageError | ImportError | SyntaxError):
        return IMPORT_ERROR
    return ERROR


def _is_out_of_memory(error: BaseException) -> bool:
    """On the device or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself, and those that it wraps: building a model may run out of memory too."""
    while error is not None:
        yield error
        error = error.__cause__
