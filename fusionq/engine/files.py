"""Files that are either whole or not there, whatever happens while they are written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch


def write_whole(path: Path, write: Callable[[IO[bytes]], None], *, must_last: bool = True) -> None:
    """Write beside `path` and rename. Raises OSError; `path` is then as it was.

    What `must_last` is on the disk on return; the rest survives the process, not a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as handle:
            write(handle)
            handle.flush()
            if must_last:
                os.fsync(handle.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if must_last:
        _flush_folder(path.parent)


def write_tensors(path: Path, value: Any) -> None:
    """Write what `torch.load(weights_only=True)` reads, whole or not at all. Raises OSError."""
    try:
        write_whole(path, lambda handle: torch.save(value, handle))
    except RuntimeError as error:
        # Where a write fails, torch's own complaint about it hides the reason.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all, without waiting for the disk."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n"
    # Half a surrogate pair, as in names of files, is written as JSON escapes it.
    data = text.encode(errors="backslashreplace")
    write_whole(path, lambda handle: handle.write(data), must_last=False)


def finite(value: Any) -> Any:
    """The value with null for every number that is not finite: JSON has no word for those."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
