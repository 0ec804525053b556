"""Shortens the tracebacks in a job's output to the frames of the user's own files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fusionq.cli.words import count_of

_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line \d+')
_LIBRARY = re.compile(r"/(site|dist)-packages/|/lib/python3[.\d]*/|^<frozen |/fusionq/(engine|worker)/")


def without_library_frames(lines: Iterable[str]) -> list[str]:
    """Returns the lines, with a count in place of frames of libraries, of Python and of fusionq."""
    kept: list[str] = []
    skipped, is_skipping, indent = 0, False, 0
    for line in lines:
        frame = _FRAME.match(line)
        if frame:
            is_skipping = bool(_LIBRARY.search(frame["path"]))
            indent = len(line) - len(line.lstrip())
        elif is_skipping:  # the code of a frame is deeper than its line
            is_skipping = len(line) - len(line.lstrip()) > indent
        if is_skipping:
            skipped += bool(frame)
            continue
        if skipped:
            kept.append(_left_out(skipped, indent))
            skipped = 0
        kept.append(line)
    return [*kept, _left_out(skipped, indent)] if skipped else kept


def _left_out(count: int, indent: int) -> str:
    return " " * indent + f"… {count_of(count, 'frame')} of libraries"
