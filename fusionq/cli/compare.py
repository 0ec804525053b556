from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.selecting import named_jobs
from fusionq.cli.session import Session, verb
from fusionq.cli.words import coloured, duration, say
from fusionq.errors import UsageError
from fusionq.spec.states import Outcome

MOST_COLUMNS = 4  # jobs that stand side by side where their keys do not

if TYPE_CHECKING:
    from fusionq.spec.record import JobRecord


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="SWEEP|JOB...", shell_complete=complete_job)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@verb
def compare(session: Session, jobs: tuple[str, ...], as_json: bool, as_csv: bool) -> None:
    """Compare the trials of a SWEEP, or jobs: what was changed and what came of it, best first.

    \b
    fusionq compare last
    fusionq compare k3m9x2ab --csv > trials.csv
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other", hint="give one of them")
    rows = _sorted(_rows(session, session.store.jobs.get_many(named_jobs(session, jobs))))
    if as_json:
        from fusionq.cli.json_output import print_json
        from fusionq.client.json_views import view_of_trial

        print_json("jobs", (view_of_trial(row.record, row.params) for row in rows))
    elif as_csv:
        _print_csv(rows)
    else:
        _print_table(rows)


@dataclass(frozen=True)
class _Row:
    """A job, and what was changed in it."""

    record: JobRecord
    params: dict[str, Any]

    @property
    def monitor(self) -> str:
        return self.record.result.get("monitor") or ""

    @property
    def mode(self) -> str:
        return self.record.result.get("mode") or ""

    @property
    def value(self) -> float | None:
        """The best that was monitored; None without a number."""
        value = self.record.result.get("best_value")
        return value if isinstance(value, int | float) and math.isfinite(value) else None

    @property
    def epoch(self) -> int | None:
        return self.record.result.get("best_epoch") or None

    @property
    def note(self) -> str:
        return "" if self.record.outcome is Outcome.SUCCEEDED else self.record.reason


def _rows(session: Session, records: list[JobRecord]) -> list[_Row]:
    return [_Row(record, params) for record, params in zip(records, _params(session, records), strict=True)]


def _params(session: Session, records: list[JobRecord]) -> list[dict[str, Any]]:
    """What the sweep of all of them changed; where they are of no one sweep, what differs in their specs."""
    sweeps = {record.sweep for record in records}
    if len(sweeps) == 1 and sweeps != {""}:
        return [record.params for record in records]
    from fusionq.spec.differences import differences
    from fusionq.spec.secrets import mask_spec

    return differences([mask_spec(session.store.jobs.spec(record.id)) for record in records])


def _sorted(rows: list[_Row]) -> list[_Row]:
    """Best first; those without a value last. Values of different kinds have no order."""
    kinds = {(row.monitor, row.mode) for row in rows if row.value is not None}
    if len(kinds) > 1:
        names = ", ".join(sorted({monitor for monitor, _ in kinds}))
        say(f"their best values are of different kinds ({names}), so they have no order")
        return rows
    sign = -1.0 if ("max" in {mode for _, mode in kinds}) else 1.0
    return sorted(rows, key=lambda row: math.inf if row.value is None else sign * row.value)


def _keys(rows: list[_Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.params))


def _print_table(rows: list[_Row]) -> None:
    from fusionq.cli.tables import print_table
    from fusionq.spec.params import short_names, value_text

    keys = _keys(rows)
    monitors = {row.monitor for row in rows if row.monitor}
    header = monitors.pop() if len(monitors) == 1 else "BEST"
    table = []
    for row in rows:
        value = "" if row.value is None else f"{row.value:.4g}"
        if header == "BEST" and value:
            value = f"{row.monitor} {value}"
        params = [value_text(row.params[key]) if key in row.params else "" for key in keys]
        epoch = str(row.epoch or "")
        state, ran = coloured(row.record.state_word), duration(row.record)
        table.append([row.record.id, state, value, epoch, *params, ran, row.note])
    names = short_names(keys) if sys.stdout.isatty() else dict(zip(keys, keys, strict=True))
    headers = ["ID", "STATUS", header, "EPOCH", *(names[key] for key in keys), "TIME", "NOTE"]
    if len(rows) <= MOST_COLUMNS and _is_too_wide(headers, table):
        _print_transposed(headers, table)
    else:
        print_table(headers, table, may_go=(("NOTE", 20), "EPOCH", "NOTE", "TIME"))


def _is_too_wide(headers: list[str], table: list[list[str]]) -> bool:
    """Whether the columns, without the note, do not fit the terminal."""
    if not sys.stdout.isatty():
        return False
    columns = list(zip(headers, *table, strict=True))[:-1]
    width = sum(2 + max(len(click.unstyle(cell)) for cell in column) for column in columns if any(column[1:]))
    return width > shutil.get_terminal_size().columns


def _print_transposed(headers: list[str], table: list[list[str]]) -> None:
    """A line for each value and a column for each job: for a few jobs with many different keys."""
    from fusionq.cli.tables import print_table

    first, *others = (list(column) for column in zip(headers, *table, strict=True))
    print_table(first, [line for line in others if any(line[1:])])


def _print_csv(rows: list[_Row]) -> None:
    keys = _keys(rows)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", "name", "state", "monitor", "value", "epoch", *keys])
    for row in rows:
        params = [_cell(row.params.get(key)) for key in keys]
        record = row.record
        head = [record.id, record.name, record.state_word, row.monitor, _cell(row.value), row.epoch]
        writer.writerow([*head, *params])


def _cell(value: Any) -> Any:
    """A block or a list as JSON, which a program can read again."""
    return json.dumps(value) if isinstance(value, dict | list | bool) else value
