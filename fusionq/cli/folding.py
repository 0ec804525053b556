"""Output of jobs for pipes: what a terminal would have overwritten is left out."""

from __future__ import annotations

import re
import sys

# Moving about and erasing; colours stay as the job printed them.
_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-HJKSTfhl]")


class Folder:
    """Takes pieces of text, gives back whole lines, each as it stood last: of a bar, its end."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> str:
        """The lines that are complete now. What may yet be overwritten is kept for the next piece."""
        head, line_end, tail = text.rpartition("\n")
        if not line_end:
            self._rest = _last_drawn(self._rest + text)
            return ""
        lines, self._rest = self._rest + head, _last_drawn(tail)
        if "\r" in lines or "\x1b" in lines:
            lines = "\n".join(_last_drawn(line).rstrip("\r") for line in lines.split("\n"))
        return lines + "\n"

    def end(self) -> str:
        """The last line, where no line end followed it."""
        rest, self._rest = self._rest, ""
        return rest.rstrip("\r")


def folder_for_stdout() -> Folder | None:
    """None on a terminal, which does it itself."""
    return None if sys.stdout.isatty() else Folder()


def _last_drawn(line: str) -> str:
    """Of `10 %\\r20 %\\r` the `20 %\\r`: whether something follows the last return is not known yet."""
    if "\x1b" in line:
        line = _MOVES.sub("", line)
    if "\r" not in line:
        return line
    drawn = [part for part in line.split("\r") if part.strip()]
    return (drawn[-1] if drawn else "") + ("\r" if line.endswith("\r") else "")
