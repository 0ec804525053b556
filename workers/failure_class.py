"""What kind of failure an exception of a job is: `retry.on` knows it, or it is never tried again."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from fusionq.errors import EngineError, UsageError

OUT_OF_MEMORY = "oom"
IMPORT_ERROR = "import_error"  # not one of `retry.on`: the next attempt would find the same
ERROR = "error"

# Torch has no class of its own for these.
_WORDS = ("out of memory", "can't allocate memory")


def failure_class(error: BaseException) -> str:
    """The class of failure by its name in `retry.on`, or another name."""
    if any(map(_is_out_of_memory, _causes(error))):
        return OUT_OF_MEMORY
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
