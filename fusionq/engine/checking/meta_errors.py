"""Which errors only say that there are no numbers to compute with, and which would come in training too."""

from __future__ import annotations

import linecache
import traceback

from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

from fusionq.spec.printable import text_of

_WITHOUT_NUMBERS = (
    NotImplementedError,
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
    OSError,  # files and connections are what the worker has, not what the job file says
    ImportError,
    MemoryError,
)
# What a user's code says where it looks for a device, or at numbers, that are not there.
_WORDS = (
    "meta tensor",
    "faketensor",
    "fake tensor",
    "tensor subclass",
    "data-dependent",
    "data pointer",
    "storage",
    "symbolic",
    "device",
    "cuda",
    "gpu",
    "triton",
    "singular",
)


def only_lacks_numbers(error: BaseException) -> bool:
    """Whether the same thing may well work with real tensors on a real device."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _WITHOUT_NUMBERS) or any(word in _text(seen).lower() for word in _WORDS):
            return True
        seen = seen.__cause__
    return False


def _text(error: BaseException) -> str:
    """What it says; an assertion without words is told by its line."""
    frames = traceback.extract_tb(error.__traceback__)
    if (text := text_of(error)) or not frames:
        return text
    return linecache.getline(frames[-1].filename, frames[-1].lineno or 0)
