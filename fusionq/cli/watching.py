"""The table of jobs as it changes: drawn anew with every change of state, and once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fusionq.cli.rows import lines_of_rows, reasons_of
from fusionq.cli.session import Session
from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord, SweepRecord

REFRESH_S = 1.0


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
                live.update(_drawn(session, rows(), columns, live.console.width), refresh=True)
                seen, _ = session.store.streams.changes(seen, REFRESH_S)
                patience.note_word()
            except StoreUnavailableError as error:
                live.update(Text(f"{error}; trying again"), refresh=True)
                patience.bear(error)


def _drawn(
    session: Session, rows: Sequence[JobRecord | SweepRecord], columns: Sequence[str], width: int
) -> Text:
    if not rows:
        return Text("no jobs")
    return Text.from_ansi("\n".join(lines_of_rows(rows, reasons_of(session, rows), columns, width)))
