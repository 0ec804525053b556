"""What a job printed, in a file of limited size: beyond the limit its middle is cut out.

The job's processes append to the file themselves, so their output survives the worker. A file that has been
cut holds the first half of the limit as it was printed, a line that says how many bytes are missing, and the
latest output. Offsets count everything that was printed, so they stay the same whatever is cut. A job may go
on with another limit: the line stays where it is, or moves ahead where the limit is smaller now.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Self

DEFAULT_OUTPUT_LIMIT = 1_000_000_000
LEAST_OUTPUT_LIMIT = 1_000_000
MOST_TAIL_BYTES = 16_000_000  # kept of the latest output when the middle is cut
_COPY_BYTES = 1_048_576

_NOTICE = "\n[fusionq: {:>20,} bytes of output are missing here, see output_limit in the job file]\n"
_NOTICE_PATTERN = re.compile(rb"\n\[fusionq: +([\d,]+) bytes of output are missing here, ")
_NOTICE_BYTES = len(_NOTICE.format(0).encode())


class OutputLog:
    """Reads such a file by offsets, and keeps it below its limit. Raises OSError like `open`."""

    def __init__(self, path: Path, limit: int = DEFAULT_OUTPUT_LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._file = path.open("rb")
        self._head, self._missing = self._find_cut()

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        size = os.fstat(self._file.fileno()).st_size
        return size - _NOTICE_BYTES + self._missing if self._missing else size

    def read(self, offset: int, count: int) -> tuple[int, bytes]:
        """Returns at most `count` bytes from `offset` on, and where they begin: behind a missing part."""
        if not self._missing:
            return offset, os.pread(self._file.fileno(), count, offset)
        if offset < self._head:
            return offset, os.pread(self._file.fileno(), min(count, self._head - offset), offset)
        offset = max(offset, self._head + self._missing)
        return offset, os.pread(self._file.fileno(), count, offset - self._missing + _NOTICE_BYTES)

    def shorten(self) -> bool:
        """Cut the middle out where the file has grown beyond its limit. Returns whether it had.

        A process may print meanwhile. What is printed in the moment between the last look and the cut is
        lost with the middle; everything else keeps its order.
        """
        size = os.fstat(self._file.fileno()).st_size
        if size <= self._limit:
            return False
        tail, shift = size - min(self._limit // 4, MOST_TAIL_BYTES), 0
        if self._missing:
            tail = max(tail, self._head + _NOTICE_BYTES)
            shift = self._missing - _NOTICE_BYTES
        head = min(self._head, self._limit // 2)
        missing = tail + shift - head
        with self._path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), _NOTICE.format(missing).encode(), head)
            end = self._move(file.fileno(), tail, head + _NOTICE_BYTES)
            os.ftruncate(file.fileno(), end)
        self._head, self._missing = head, missing
        return True

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _move(self, descriptor: int, start: int, to: int) -> int:
        """Copies what stands from `start` on to an earlier place, and returns where it ends there."""
        most = self._limit // 2  # a process that prints faster than we copy must not keep us here
        while most > 0 and (data := os.pread(descriptor, _COPY_BYTES, start)):
            start += len(data)
            to += os.pwrite(descriptor, data, to)
            most -= len(data)
        return to

    def _find_cut(self) -> tuple[int, int]:
        """Returns where the middle is cut out, or will be, and how many bytes are missing there."""
        head = self._limit // 2
        if match := _NOTICE_PATTERN.match(os.pread(self._file.fileno(), _NOTICE_BYTES, head)):
            return head, _missing_in(match)
        # It may have been cut under another limit. A process may print without end meanwhile.
        for start in range(0, os.fstat(self._file.fileno()).st_size, _COPY_BYTES):
            text = os.pread(self._file.fileno(), _COPY_BYTES + _NOTICE_BYTES, start)
            if match := _NOTICE_PATTERN.search(text):
                return start + match.start(), _missing_in(match)
        return head, 0


def _missing_in(match: re.Match[bytes]) -> int:
    return int(match[1].replace(b",", b""))


def shorten(path: Path, limit: int) -> None:
    """Keep a file below its limit that may not be there yet."""
    try:
        if path.stat().st_size > limit:
            with OutputLog(path, limit) as log:
                log.shorten()
    except FileNotFoundError:
        pass
