"""Tables on stdout: columns that are empty throughout are left out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Cells may hold rich markup. In a pipe nothing is cut and nothing is coloured."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    used = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i in used:
        # What people copy stays whole; a narrow terminal cuts the last column alone.
        longest = max(Text.from_markup(row[i]).cell_len for row in rows)
        least = None if i == used[-1] else max(longest, len(headers[i]))
        table.add_column(headers[i], no_wrap=True, overflow="ellipsis", min_width=least)
    for row in rows:
        table.add_row(*(row[i] for i in used))
    if sys.stdout.isatty():
        Console(width=shutil.get_terminal_size().columns, highlight=False).print(table)
        return
    console = Console(width=1000, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())
