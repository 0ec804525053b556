"""Jobs and sweeps as the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import click

from fusionq.cli.bars import bar
from fusionq.cli.session import Session
from fusionq.cli.words import (
    age,
    best_text,
    coloured,
    counts_text,
    duration,
    key_value_text,
    run_seconds,
    values_text,
    when,
)
from fusionq.queue.reasons import why_each
from fusionq.spec.params import short_params_text
from fusionq.spec.progress import epoch_of, share_done
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Outcome, Status
from fusionq.spec.stops import CANCEL, CANCEL_NOW, REQUEUE
from fusionq.spec.units import format_duration


def reasons_of(session: Session, rows: Sequence[JobRecord | SweepRecord]) -> dict[str, str]:
    """Why pending jobs wait, and sweeps for whose trials there is no room, at the moment of asking."""
    waiting = [row.id for row in rows if _is_queued(row)]
    return why_each(session.store, waiting) if waiting else {}


def _is_queued(row: JobRecord | SweepRecord) -> bool:
    if isinstance(row, SweepRecord):
        return bool(row.count(Status.QUEUED))
    return row.status is Status.QUEUED


HEADERS = ("ID", "NAME", "STATUS", "PROGRESS", "METRIC", "TIME", "LEFT", "GPU", "WORKER", "AGE", "NOTE")
# On a narrow terminal: the note goes before the numbers do, since `status ID` and `why` have it whole.
MAY_GO = (
    ("NAME", 24),
    ("NOTE", 30),
    "GPU",
    ("NOTE", 16),
    ("NAME", 16),
    "NOTE",
    "WORKER",
    "AGE",
    ("NAME", 10),
    "LEFT",
    "TIME",
    "PROGRESS",
    "METRIC",
)


MOST_NOTES = 5  # beneath a table that is too narrow for them


def print_rows(
    rows: Sequence[JobRecord | SweepRecord], reasons: dict[str, str], columns: Sequence[str] = ()
) -> None:
    """Prints the table, with why pending jobs wait; of `columns` those alone, in their order."""
    from fusionq.cli.tables import terminal_width

    click.echo("\n".join(lines_of_rows(rows, reasons, columns, terminal_width())))


def lines_of_rows(
    rows: Sequence[JobRecord | SweepRecord],
    reasons: dict[str, str],
    columns: Sequence[str],
    room: int | None,
) -> list[str]:
    """Returns the lines of that table for so many columns of the terminal, or as wide as they are."""
    from fusionq.cli.tables import lines_of, table_of

    cells = cells_of(rows, reasons)
    if columns:
        at = [HEADERS.index(column) for column in columns]
        return lines_of(columns, [[row[i] for i in at] for row in cells], room=room)
    table = table_of(HEADERS, cells, MAY_GO, room)
    if room is None or HEADERS[-1] in table.headers:
        return table.lines
    return table.lines + _notes_beneath(cells, room)


def _notes_beneath(cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Returns the notes as lines of their own, where there is no room for their column."""
    from fusionq.cli.tables import cut_line

    notes = [f"{row[0]}  {row[-1]}" for row in cells if row[-1]]
    more = [f"… and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
    return [click.style(cut_line(note, width), dim=True) for note in (*notes[:MOST_NOTES], *more)]


SORT_KEYS: dict[str, Callable[[JobRecord | SweepRecord], Any]] = {
    "submitted": lambda row: row.submitted_at,
    "started": lambda row: row.started_at,
    "name": lambda row: row.name.lower(),
    "state": lambda row: row.state_word,
    "duration": run_seconds,
    "metric": lambda row: _best_value(row),
}


def _best_value(row: JobRecord | SweepRecord) -> float:
    """For sorting: those without a value first."""
    value = row.best_value if isinstance(row, SweepRecord) else row.result.get("best_value")
    return value if isinstance(value, int | float) and not math.isnan(value) else -math.inf


def cells_of(rows: Sequence[JobRecord | SweepRecord], reasons: dict[str, str]) -> list[list[str]]:
    """A line of the table for each."""
    table = []
    for row in rows:
        is_sweep = isinstance(row, SweepRecord)
        table.append(
            [
                row.id,
                row.name if is_sweep or not row.sweep else short_params_text(row.params),
                coloured(row.state_word),
                f"{row.count(*Outcome)}/{row.total} trials" if is_sweep else progress_text(row),
                best_text(row) if is_sweep else metric_text(row),
                duration(row),
                "" if is_sweep else left_text(row),
                "" if is_sweep or row.is_finished else ",".join(map(str, row.assigned_gpus)),
                "" if is_sweep else row.worker,
                age(row),
                _sweep_note(row, reasons) if is_sweep else job_note(row, reasons),
            ]
        )
    return table


def _sweep_note(sweep: SweepRecord, reasons: dict[str, str]) -> str:
    stops = "stopping" if sweep.stop_requested and not sweep.is_finished else ""
    waits = "" if sweep.count(Status.ASSIGNED, Status.RUNNING) else reasons.get(sweep.id, "")
    return "; ".join(part for part in (stops, counts_text(sweep), waits) if part)


def progress_text(record: JobRecord) -> str:
    """`ep 3/20 ▕▉     ▏ 15 %`, without the bar once it is over; empty where it has not begun."""
    progress = record.progress
    if not progress.get("num_epochs") or record.status is Status.QUEUED:
        return ""
    share = share_done(progress)
    drawn = "" if record.is_finished else f"{bar(share)} "
    return f"ep {epoch_of(progress)}/{progress['num_epochs']} {drawn}{share * 100:.0f} %"


def metric_text(record: JobRecord) -> str:
    """The best value that was monitored; in the first epoch, the latest one that says most."""
    result = record.result
    if result.get("best_epoch"):
        return f"best {result['monitor']} {result['best_value']:.4g}"
    if best := record.progress.get("best"):
        return f"best {values_text(best)}"
    return key_value_text(result.get("values") or record.progress.get("values", {}))


def left_text(record: JobRecord) -> str:
    """How long it will still train; empty where nobody knows."""
    left = record.progress.get("eta_s")
    return format_duration(left) if left and record.status is Status.RUNNING else ""


_STOPPING = {
    CANCEL: "is being cancelled",
    CANCEL_NOW: "is being cancelled",
    REQUEUE: "saves its state and leaves its worker",
}


def job_note(record: JobRecord, reasons: dict[str, str]) -> str:
    """The one thing worth knowing now: why it waits, what is odd about it, why it ended."""
    if record.outcome is Outcome.SUCCEEDED:
        return record.warning
    if record.status is Status.WAITING and record.due_at and not record.held:
        return f"{record.reason}, {when(record.due_at)}"
    if record.status is Status.QUEUED:
        waits = reasons.get(record.id, "about to start")
        return f"{record.reason}; {waits}" if record.reason else waits
    if record.status is Status.RUNNING:
        stops = _STOPPING.get(record.stop_requested, "")
        return "; ".join(part for part in (stops, record.warning) if part)
    return record.reason
