"""The output of jobs for a terminal: colours and bars stay, everything else that a terminal obeys is shown.

What a job prints is its own matter, but it must not clear the screen of whoever reads its log, write over the
lines before it, or rename the window.
"""

from __future__ import annotations

import os
import re

from fusionq.spec.printable import printable

_ESCAPE = "\x1b"
_MOST_OF_AN_ESCAPE = 64  # characters; what is longer is none, and shown
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
# Colours, and the moves of a progress bar within its lines: up, down, right, left, to a column, erase a line.
_COLOUR_OR_MOVE = re.compile(r"(\x1b\[[0-9;:]*m|\x1b\[[0-9]*[ABCDGK]|[\r\b])")
_BEGUN = re.compile(r"\x1b(\[[0-9;:?]*)?\Z")


class TerminalText:
    """Takes pieces of text and gives back what a terminal may have of them."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> str:
        """An escape that is not complete yet is kept for the next piece."""
        text = self._rest + text
        begun = _BEGUN.search(text[-_MOST_OF_AN_ESCAPE:])
        end = len(text) - len(begun[0]) if begun else len(text)
        text, self._rest = text[:end], text[end:]
        return _keep(text, _COLOUR_OR_MOVE)

    def end(self) -> str:
        rest, self._rest = self._rest, ""
        return printable(rest)


def coloured_line(line: str) -> str:
    """Returns one line of a job's output for a screen of ours: its colours, unless nobody wants them, and
    nothing that moves.
    """
    return _keep(line, _COLOUR)


def _keep(text: str, kept: re.Pattern[str]) -> str:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        text = _COLOUR.sub("", text)
    return "".join(part if i % 2 else printable(part) for i, part in enumerate(kept.split(text)))
