"""What went wrong in a process of a DataLoader, of which only the text of its traceback comes over."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass

_HEAD = re.compile(r"^Caught \S+ in (?:DataLoader worker process|pin memory thread)")
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)$')
_ERROR = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?$")
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class LoaderError:
    """The error as it was raised there: its type, the first line of what it says, and its frames."""

    kind: str
    text: str
    frames: list[traceback.FrameSummary]


def error_in_loader(text: str) -> LoaderError | None:
    """Reads the text of an error that torch raised again; None where it is not one."""
    if not _HEAD.match(text) or _TRACEBACK not in text:
        return None
    # Of several that caused one another, the last is the one that ended the process's work.
    lines = text.rpartition(_TRACEBACK)[2].splitlines()
    frames = []
    for line in lines:
        if found := _FRAME.match(line):
            frames.append(
                traceback.FrameSummary(found["file"], int(found["line"]), found["name"], lookup_line=False)
            )
        elif frames and (found := _ERROR.match(line)):
            return LoaderError(found["kind"].rpartition(".")[2], (found["text"] or "").strip(), frames)
    return None
