"""The table of jobs as it changes: drawn anew with every change of state, and once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fusionq.cli.rows import MOST_NOTES, lines_of_rows, reasons_of
from fusionq.cli.session import Session
from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord, SweepRecord

REFRESH_S = 1.0
MOST_BESIDE = MOST_NOTES + 3  # lines beside the rows: the head, the notes with a count, the cursor


def watch(
    session: Session, rows: Callable[[], Sequence[JobRecord | SweepRecord]], columns: Sequence[str]
) -> None:
    """Until Ctrl-C; of `columns` those alone, in their order.

    Raises StoreUnavailableError after a minute without Redis.
    """
    seen = session.store.streams.last_event()
    patience = Patience()
    # Not redirected: what rich puts in place of stdout does not say which characters it takes.
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, transient=False, redirect_stdout=False) as live:
        while True:
            try:
                live.update(_drawn(session, rows(), columns, *live.console.size), refresh=True)
                seen, _ = session.store.streams.changes(seen, REFRESH_S)
                patience.note_word()
            except StoreUnavailableError as error:
                live.update(Text(f"{error}; trying again"), refresh=True)
                patience.bear(error)


def _drawn(
    session: Session,
    rows: Sequence[JobRecord | SweepRecord],
    columns: Sequence[str],
    width: int,
    height: int,
) -> Text:
    """Returns the table with as many of the last rows as the terminal has room for."""
    if not rows:
        return Text("no jobs")
    rows = rows[-max(1, height - MOST_BESIDE) :]
    return Text.from_ansi("\n".join(lines_of_rows(rows, reasons_of(session, rows), columns, width)))
