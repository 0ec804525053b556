"""Tables of text: columns that are empty throughout are left out, and the rest fits the terminal.

Written here and not by rich, whose import and drawing take longer than everything else that `status` does.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from fusionq.cli.bars import can_draw
from fusionq.spec.printable import printable

Cut = str | tuple[str, int]  # a column that may go, or may be cut to so many characters

GAP = 2  # blanks between columns
LEAST = 20  # of the last column, which is cut first; beneath that, columns go
NARROWEST = 6

_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
_BREAKS = re.compile(r"[\t\n\r]")
_RESET = "\x1b[0m"


@dataclass(frozen=True)
class Table:
    """A table as it fits: the headers of its columns, and its lines, of which the first is the head."""

    headers: tuple[str, ...]
    lines: list[str]


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], may_go: Sequence[Cut] = ()) -> None:
    """Cells may be styled by `click.style`. In a pipe nothing is cut and nothing is coloured.

    A narrow terminal does without the columns that `may_go`, in their order; one with a number is cut to so
    many characters instead. The last column is cut first unless it is among them. Then the widest are cut.
    """
    click.echo("\n".join(lines_of(headers, rows, may_go, terminal_width())))


def terminal_width() -> int | None:
    """Returns the columns of the terminal; None in a pipe, which takes any line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def lines_of(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    may_go: Sequence[Cut] = (),
    room: int | None = None,
) -> list[str]:
    """The header and a line for each row, for so many columns, or as wide as they are."""
    return table_of(headers, rows, may_go, room).lines


def table_of(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    may_go: Sequence[Cut] = (),
    room: int | None = None,
) -> Table:
    """The same, with which columns are left."""
    head, *cells = ([_safe(cell) for cell in row] for row in (headers, *rows))
    widths = {}
    for i, header in enumerate(head):
        longest = max((_width(click.unstyle(row[i])) for row in cells), default=0)
        if longest:
            widths[i] = max(longest, _width(header))
    if room is not None:
        cuts = [cut if isinstance(cut, tuple) else (cut, 0) for cut in may_go]
        _fit(widths, room, [(headers.index(header), width) for header, width in cuts])
    first, *lines = (
        (" " * GAP).join(_of_width(row[i], width) for i, width in widths.items()).rstrip()
        for row in (head, *cells)
    )
    return Table(tuple(headers[i] for i in widths), [click.style(first, dim=True), *lines])


def cut_line(text: str, width: int) -> str:
    """Returns the text in one line of at most so many cells, with nothing in it that a terminal obeys."""
    return _of_width(_safe(text), width).rstrip()


def _safe(cell: str) -> str:
    """In one line, and with nothing in it that a terminal obeys but its style."""
    parts = _STYLE.split(cell)
    return "".join(part if i % 2 else printable(_BREAKS.sub(" ", part)) for i, part in enumerate(parts))


def _of_width(cell: str, width: int) -> str:
    """Filled up, or cut, and styled up to there."""
    surplus = _width(click.unstyle(cell)) - width
    if surplus <= 0:
        return cell + " " * -surplus
    end = "…" if can_draw() else "~"
    parts, room = [], width - 1
    for i, part in enumerate(_STYLE.split(cell)):
        is_style = i % 2 == 1
        parts.append(part if is_style else _first(part, room))
        room -= 0 if is_style else _width(parts[-1])
    return "".join(parts) + end + (_RESET if len(parts) > 1 else "")


def _width(text: str) -> int:
    """In cells of the terminal: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _first(text: str, width: int) -> str:
    """As much of it as so many cells hold."""
    if text.isascii():
        return text[:width]
    from rich.cells import set_cell_size

    return set_cell_size(text, min(width, _width(text)))


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _fit(widths: dict[int, int], room: int, may_go: Sequence[tuple[int, int]]) -> None:
    """Make the columns fit. The first is what people copy: it stays whole to the end."""
    last, whole = max(widths, default=0), dict(widths)
    cuts = list(may_go) if any(i == last for i, _ in may_go) else [(last, LEAST), *may_go]
    for i, least in cuts:
        excess = _excess(widths, room)
        if excess <= 0:
            break
        if i in widths and least:
            widths[i] = min(widths[i], max(least, widths[i] - excess))
        else:
            widths.pop(i, None)
    _cut_widest(widths, room)
    _use_what_is_left(widths, whole, room, cuts)
    while _excess(widths, room) > 0 and len(widths) > 1:
        widths.popitem()


def _use_what_is_left(
    widths: dict[int, int], whole: dict[int, int], room: int, cuts: Sequence[tuple[int, int]]
) -> None:
    """A column that went later may have left room for one that went, or was cut, before."""
    for i, least in reversed(cuts):
        if not least and i in whole and i not in widths and GAP + whole[i] <= -_excess(widths, room):
            widths[i] = whole[i]
    for i, least in cuts:
        if least and i in widths:
            widths[i] += max(0, min(whole[i] - widths[i], -_excess(widths, room)))
    in_order = sorted(widths.items())
    widths.clear()
    widths.update(in_order)


def _cut_widest(widths: dict[int, int], room: int) -> None:
    others = list(widths)[1:]
    while _excess(widths, room) > 0 and others:
        widest = max(others, key=lambda i: widths[i])
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1


def _excess(widths: dict[int, int], room: int) -> int:
    return _total(widths) - room
