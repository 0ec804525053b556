"""The table of jobs as it changes: drawn anew with every change of state, and once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fusionq.cli.rows import HEADERS, MAY_GO, cells_of, reasons_of
from fusionq.cli.session import Session
from fusionq.cli.tables import lines_of
from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord, SweepRecord

REFRESH_S = 1.0


def watch(session: Session, rows: Callable[[], Sequence[JobRecord | SweepRecord]]) -> None:
    """Until Ctrl-C. Raises StoreUnavailableError after a minute without Redis."""
    seen = session.store.streams.last_event()
    patience = Patience()
    with Live(console=Console(highlight=False), auto_refresh=False, transient=False) as live:
        while True:
            try:
                live.update(_drawn(session, rows(), live.console.width), refresh=True)
                seen, _ = session.store.streams.changes(seen, REFRESH_S)
                patience.note_word()
            except StoreUnavailableError as error:
                live.update(Text(f"{error}; trying again"), refresh=True)
                patience.bear(error)


def _drawn(session: Session, rows: Sequence[JobRecord | SweepRecord], width: int) -> object:
    if not rows:
        return Text("no jobs")
    cells = cells_of(rows, reasons_of(session, rows))
    return Text.from_ansi("\n".join(lines_of(HEADERS, cells, MAY_GO, width)))
