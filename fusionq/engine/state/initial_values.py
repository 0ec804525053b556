"""What objects held before training began: what is still so is in no checkpoint, for it is built again."""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import torch

from fusionq.engine.state.kinds import PLAIN, PLAIN_LIBRARIES, class_name, find_class

_MOST_DEPTH = 20
_BY_REPR = (bytes, bytearray, complex)


class InitialValues:
    """Attributes, large tensors and what has a state_dict, as they were when training began.

    So what comes from the job file, such as a number of epochs, stays what the job file says.
    """

    def __init__(self) -> None:
        self.attributes: dict[tuple[str, str], bytes] = {}  # (path, class) of an owner and its attribute
        self.large: dict[str, int] = {}  # checksums of large tensors, by path
        self.stateful: set[str] = set()  # paths of what has a state_dict


def digest_of(value: Any) -> bytes | None:
    """Returns a digest of what consists of plain values; None where it holds anything else."""
    text = _spelled(value, 0)
    if text is None:
        return None
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _spelled(value: Any, depth: int) -> str | None:
    """Returns a text that is the same for the same plain values in the same containers."""
    if type(value) in PLAIN:
        return hex(value) if type(value) is int else repr(value)  # of a very long number there is no repr
    if depth > _MOST_DEPTH:
        return None
    name = class_name(type(value))
    text = _spelled_as_one(value)
    if text is not None:
        return f"{name}({text})"
    items = _items_of(value)
    if items is None:
        return None
    if isinstance(items, list | tuple) and all(type(item) in PLAIN for item in items):
        with suppress(ValueError):  # a number of very many digits
            return f"{name}{items!r}"
    parts = []
    for item in items:
        part = _spelled(item, depth + 1)
        if part is None:
            return None
        parts.append(part)
    if isinstance(value, set | frozenset):
        parts.sort()
    return f"{name}({','.join(parts)})"


def _spelled_as_one(value: Any) -> str | None:
    """Returns the text of a value that has no parts of its own; None of any other."""
    if type(value) in _BY_REPR or type(value).__module__.partition(".")[0] in PLAIN_LIBRARIES:
        return repr(value)
    if isinstance(value, torch.dtype | torch.device):
        return str(value)
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return f"{value.dtype.str} {value.tobytes().hex()}"
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        name = f"{value.__module__}:{value.__qualname__}"
        return name if find_class(name) is value else None
    return None


def _items_of(value: Any) -> Iterable[Any] | None:
    """Returns what decides a value beside its class; None where that is not known."""
    if isinstance(value, enum.Enum):
        return (value.value,)
    if type(value) is dict:
        return (part for pair in value.items() for part in pair)
    if type(value) is deque:
        return (value.maxlen, *value)
    if type(value) in (list, set, frozenset) or (isinstance(value, tuple) and not hasattr(value, "__dict__")):
        return value
    if isinstance(value, slice | range):
        return value.start, value.stop, value.step
    return None
