"""Where a value stands in a file, and how that looks: the lines around it and what is meant in them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_COLUMNS = 100
LEAD_COLUMNS = 60  # what is shown before the mistake in a line that is too long to show whole

_LINE_ENDS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts them


class Text:
    """The text of a file with its name; its lines count from 1."""

    def __init__(self, name: str, whole: str) -> None:
        self.name = name
        self.whole = whole
        self._lines = _LINE_ENDS.split(whole)

    def place_at(self, offset: int) -> Place:
        """The place of the character at an offset from the beginning."""
        before = _LINE_ENDS.split(self.whole[:offset])
        return Place(self.name, len(before), len(before[-1]) + 1, text=self)

    def line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


@dataclass(frozen=True)
class Place:
    """A value in a text, or (line 0) something with no lines, such as an override, that `name` says whole.

    `key_length` is how much to underline where the key is meant, `length` where its value is meant too.
    """

    name: str
    line: int = 0
    column: int = 0
    key_length: int = 1
    length: int = 1
    text: Text | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}" if self.line else self.name

    def excerpt(self, *, key_only: bool = False) -> str:
        """The line before, the line itself and a caret under what is meant; '' where there are no lines."""
        if self.text is None or not self.line:
            return ""
        width = len(str(self.line))
        shown, column = _window(self.text.line(self.line), self.column)
        length = max(1, min(self.key_length if key_only else self.length, len(shown) - column + 1))
        marked = shown[column - 1 : column - 1 + length] or " "
        caret = " " * _cells(shown[: column - 1]) + "^" * max(1, _cells(marked))
        lines = [f"  {self.line:>{width}} | {shown}", f"  {'':>{width}} | {caret}"]
        before = _printable(self.text.line(self.line - 1)[:MOST_COLUMNS]).rstrip()
        if before:
            lines.insert(0, f"  {self.line - 1:>{width}} | {before}")
        return "\n".join(lines)


def _printable(line: str) -> str:
    """Each character as one that moves the caret by its own width."""
    return "".join(c if c.isprintable() else (" " if c == "\t" else "�") for c in line)


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around a column, as it can be shown, and the column within that part."""
    start = max(0, column - 1 - LEAD_COLUMNS) if len(line) > MOST_COLUMNS else 0
    shown = ("…" if start else "") + _printable(line[start : start + MOST_COLUMNS]).rstrip()
    return shown, column - start + (1 if start else 0)


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
