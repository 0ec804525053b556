"""Tables on stdout: columns that are empty throughout are left out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

Cut = str | tuple[str, int]  # a column that may go, or may be cut to so many characters

GAP = 2  # blanks between columns
LEAST = 20  # of the last column, which is cut first; beneath that, columns go
NARROWEST = 6


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], may_go: Sequence[Cut] = ()) -> None:
    """Cells may hold rich markup. In a pipe nothing is cut and nothing is coloured.

    A narrow terminal cuts the last column, then does without those that `may_go`, in
    their order (one with a number is cut to so many characters instead), then cuts the widest.
    """
    from rich.console import Console

    table, width = build_table(headers, rows, may_go)
    console = Console(width=width, highlight=False)
    if sys.stdout.isatty():
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def build_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    may_go: Sequence[Cut] = (),
    room: int | None = None,
) -> tuple[Table, int]:
    """The same as an object, and how wide it is; for so many columns, or as many as the terminal has."""
    from rich.table import Table
    from rich.text import Text

    widths = {}
    for i, header in enumerate(headers):
        longest = max((Text.from_markup(row[i]).cell_len for row in rows), default=0)
        if longest:
            widths[i] = max(longest, len(header))
    if room is None and sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
    if room is not None:
        cuts = [cut if isinstance(cut, tuple) else (cut, 0) for cut in may_go]
        order = [(headers.index(header), width) for header, width in cuts]
        _fit(widths, room, order)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, width in widths.items():
        table.add_column(headers[i], no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*(row[i] for i in widths))
    return table, max(_total(widths), 1)


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _fit(widths: dict[int, int], room: int, may_go: Sequence[tuple[int, int]]) -> None:
    """Make the columns fit. The first is what people copy: it stays whole to the end."""
    last = max(widths, default=0)
    for i, least in may_go:
        surplus = _excess(widths, room) - max(0, widths[last] - LEAST)
        if surplus <= 0:
            break
        if i in widths and least:
            widths[i] = min(widths[i], max(least, widths[i] - surplus))
        elif i != last:
            widths.pop(i, None)
    if (excess := _excess(widths, room)) > 0 and widths[last] > LEAST:
        widths[last] = max(LEAST, widths[last] - excess)
    _cut_widest(widths, room)
    while _excess(widths, room) > 0 and len(widths) > 1:
        widths.popitem()


def _cut_widest(widths: dict[int, int], room: int) -> None:
    others = list(widths)[1:]
    while _excess(widths, room) > 0 and others:
        widest = max(others, key=lambda i: widths[i])
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1


def _excess(widths: dict[int, int], room: int) -> int:
    return _total(widths) - room
