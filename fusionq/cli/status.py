from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.details import print_job, print_sweep
from fusionq.cli.parameters import Integer
from fusionq.cli.rows import HEADERS, SORT_KEYS, print_rows, reasons_of
from fusionq.cli.selecting import Chosen, active_only, filter_options, submitted_since
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.spec.near import did_you_mean
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Status

MOST_ROWS = 2**31 - 1  # Redis counts no further here
TIMES = ("submitted_at", "assigned_at", "started_at", "finished_at", "due_at")


def _columns(_: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    columns = tuple(part.strip().upper() for part in (text or "").split(",") if part.strip())
    for column in columns:
        if column not in HEADERS:
            raise click.BadParameter(f"there is no column {column.lower()!r}{did_you_mean(column, HEADERS)}")
    return columns


@click.command()
@click.argument("job", required=False, shell_complete=complete_job)
@click.option("-n", "count", type=Integer(1), default=20, show_default=True, help="How many of the newest.")
@click.option("-a", "--all", "has_no_end", is_flag=True, help="All of them, however many there are.")
@click.option("--since", metavar="DURATION", help="Submitted in the last while, such as 1h or 7d.")
@filter_options()
@click.option(
    "--sort",
    "order",
    type=click.Choice(list(SORT_KEYS)),
    default="submitted",
    show_default=True,
    help="By what the rows are ordered, the largest last.",
)
@click.option(
    "-o",
    "--columns",
    callback=_columns,
    metavar="A,B,…",
    help=f"Only these columns: {', '.join(header.lower() for header in HEADERS)}.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print ids only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-w", "--watch", "is_watched", is_flag=True, help="Show the table as it changes, until Ctrl-C.")
@click.option("--spec", "as_spec", is_flag=True, help="Print the resolved job file of JOB.")
@verb
def status(
    session: Session,
    job: str | None,
    chosen: Chosen,
    count: int,
    has_no_end: bool,
    since: str | None,
    order: str,
    columns: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    is_watched: bool,
    as_spec: bool,
) -> None:
    """Show the newest jobs, or everything about one.

    JOB is an id, the beginning of one, a name, or `last`. A sweep is one row; name it to see its trials.
    Options choose among all jobs, trials too. `fusionq ps` shows those that have not ended.

    \b
    fusionq status
    fusionq status last
    fusionq status --watch
    fusionq status --state failed --since 1d --sort duration
    fusionq status --columns id,name,metric
    fusionq status --all --tag lr-search -q
    """
    if click.get_current_context().info_name == "ps" and job is None and not has_no_end:
        chosen = active_only(chosen)
    chosen = submitted_since(chosen, since)
    if has_no_end:
        count = MOST_ROWS
    if job is not None and (has_no_end or not chosen.is_empty):
        raise click.UsageError("name a job or say what jobs are like, not both")
    if as_spec and job is None:
        raise click.UsageError("--spec needs a job, such as: fusionq status last --spec")
    if is_watched:
        _watch(session, chosen, count, is_alone=job is None and not (quiet or as_json))
        return
    rows = _rows(session, chosen, count) if job is None else [_find(session, job)]
    if order != "submitted":
        rows.sort(key=SORT_KEYS[order])
    if as_spec:
        _print_spec(session, rows[0])
    elif quiet:
        for row_id in _ids(session, rows, has_trials=job is not None):
            click.echo(row_id)
    elif as_json:
        reasons = reasons_of(session, rows)
        shown = [_as_json(row, reasons) for row in rows]
        click.echo(json.dumps(shown[0] if job else shown, indent=2))
    elif job is None:
        _print_all(session, rows, chosen, count, columns)
    elif isinstance(rows[0], SweepRecord):
        print_sweep(session, rows[0])
    else:
        print_job(session, rows[0])


def _watch(session: Session, chosen: Chosen, count: int, *, is_alone: bool) -> None:
    """Raises UsageError where there is no table that could change before somebody's eyes."""
    if not is_alone or not sys.stdout.isatty():
        raise click.UsageError(
            "--watch shows the table of jobs in a terminal; for one job: fusionq logs JOB -f"
        )
    from fusionq.cli.watching import watch

    watch(session, lambda: _rows(session, chosen, count))


def _rows(session: Session, chosen: Chosen, count: int) -> list[JobRecord | SweepRecord]:
    """The newest last. Where options choose, each trial is a row of its own."""
    if chosen.is_empty:
        return session.store.rows(count)
    return [*session.store.jobs.get_many(reversed(chosen.ids(session, most=count)))]


def _find(session: Session, reference: str) -> JobRecord | SweepRecord:
    """The job or the sweep that is meant. Raises NotFoundError."""
    store = session.store
    found = store.jobs.find(reference)
    return store.sweeps.get(found) if store.sweeps.exists(found) else store.jobs.get(found)


def _ids(session: Session, rows: Sequence[JobRecord | SweepRecord], *, has_trials: bool) -> list[str]:
    """Those of the rows; of a sweep that was asked for, those of its trials."""
    if has_trials and isinstance(rows[0], SweepRecord):
        return session.store.sweeps.trial_ids(rows[0].id)
    return [row.id for row in rows]


def _print_all(
    session: Session,
    rows: Sequence[JobRecord | SweepRecord],
    chosen: Chosen,
    count: int,
    columns: tuple[str, ...],
) -> None:
    if not chosen.is_empty:
        _print_chosen(session, rows, count, columns)
        return
    if not rows:
        say("no jobs yet; write one: fusionq init; submit it: fusionq submit job.yaml")
        return
    print_rows(rows, reasons_of(session, rows), columns)
    total = session.store.num_rows()
    if total > len(rows):
        say(f"the newest {count} of {total} jobs; -n shows more")


def _print_chosen(
    session: Session, rows: Sequence[JobRecord | SweepRecord], count: int, columns: tuple[str, ...]
) -> None:
    if not rows:
        say("no jobs match")
        return
    print_rows(rows, reasons_of(session, rows), columns)
    if len(rows) == count:
        say(f"the newest {count} that match; -n shows more, if there are any")


def _print_spec(session: Session, record: JobRecord | SweepRecord) -> None:
    from fusionq.spec.secrets import mask_spec
    from fusionq.spec.writer import to_yaml

    click.echo(to_yaml(mask_spec(session.store.jobs.spec(record.id))), nl=False)


def _as_json(record: JobRecord | SweepRecord, reasons: dict[str, str]) -> dict[str, Any]:
    shown = _finite(record.to_json())
    for key in TIMES:
        if key in shown:
            shown[key] = datetime.fromtimestamp(shown[key], UTC).isoformat() if shown[key] else None
    if isinstance(record, JobRecord) and record.status is Status.QUEUED:
        shown["waits_for"] = reasons.get(record.id, "")
    return shown


def _finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: a metric that is none becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
