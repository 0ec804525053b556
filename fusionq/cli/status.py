from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.details import print_job, print_sweep
from fusionq.cli.parameters import Duration, Integer
from fusionq.cli.rows import HEADERS, SORT_KEYS, print_rows, reasons_of
from fusionq.cli.selecting import Chosen, active_only, filter_options, submitted_since
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError
from fusionq.spec.near import did_you_mean
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.store.bulk import chunks

MOST_ROWS = 2**31 - 1  # Redis counts no further here
SHOWN = 20  # rows of the table
PAGE = 1_000  # records that are read at once


def _columns(_: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    columns = tuple(part.strip().upper() for part in (text or "").split(",") if part.strip())
    for column in columns:
        if column not in HEADERS:
            raise click.BadParameter(f"there is no column {column.lower()!r}{did_you_mean(column, HEADERS)}")
    return columns


@click.command()
@click.argument("job", required=False, shell_complete=complete_job)
@click.option(
    "-n", "count", type=Integer(1), help=f"How many of the newest; {SHOWN}, with -q and --json all."
)
@click.option("-a", "--all", "has_no_end", is_flag=True, help="All of them, however many there are.")
@click.option("--since", "since_s", type=Duration(), help="Submitted within this time, such as 1h or 7d.")
@filter_options()
@click.option(
    "--sort",
    "order",
    type=click.Choice(list(SORT_KEYS)),
    default="submitted",
    show_default=True,
    help="Order of the rows, the largest last.",
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
    count: int | None,
    has_no_end: bool,
    since_s: float | None,
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
    chosen = submitted_since(chosen, since_s)
    if has_no_end or (count is None and (quiet or as_json)):
        count = MOST_ROWS
    count = count or SHOWN
    if job is not None and (has_no_end or not chosen.is_empty):
        raise UsageError("name a job or choose jobs by options, not both")
    if as_spec and job is None:
        raise UsageError("--spec needs a job", hint="name one: fusionq status last --spec")
    if quiet + as_json + is_watched + as_spec > 1:
        raise UsageError("-q, --json, --watch and --spec are ways to show it; give one of them")
    if columns and (quiet or as_json or job is not None):
        raise UsageError("--columns is for the table of jobs")
    if is_watched:
        _watch(session, chosen, count, order, columns, is_table=job is None)
        return
    if quiet or as_json:
        ids = [session.store.jobs.find(job)] if job is not None else _ids(session, chosen, count, order)
        _print_ids(session, ids, is_named=job is not None) if quiet else _print_json(session, ids)
        return
    rows = _rows(session, chosen, count, order) if job is None else [_find(session, job)]
    if as_spec:
        _print_spec(session, rows[0])
    elif job is None:
        _print_all(session, rows, chosen, count, columns)
    elif isinstance(rows[0], SweepRecord):
        print_sweep(session, rows[0])
    else:
        print_job(session, rows[0])


def _watch(
    session: Session, chosen: Chosen, count: int, order: str, columns: tuple[str, ...], *, is_table: bool
) -> None:
    """Raises UsageError where there is no table that could change before somebody's eyes."""
    if not is_table or not sys.stdout.isatty():
        raise UsageError(
            "--watch shows the table of jobs in a terminal", hint="for one job: fusionq logs JOB -f"
        )
    from fusionq.cli.watching import watch

    watch(session, lambda: _rows(session, chosen, count, order), columns)


def _rows(session: Session, chosen: Chosen, count: int, order: str) -> list[JobRecord | SweepRecord]:
    """In their order, by default the newest last. Where options choose, each trial is a row of its own."""
    if chosen.is_empty:
        rows = session.store.rows(count)
    else:
        rows = [*session.store.jobs.get_many(reversed(chosen.ids(session, most=count)))]
    return rows if order == "submitted" else sorted(rows, key=SORT_KEYS[order])


def _find(session: Session, reference: str) -> JobRecord | SweepRecord:
    """The job or the sweep that is meant. Raises NotFoundError."""
    store = session.store
    found = store.jobs.find(reference)
    return store.sweeps.get(found) if store.sweeps.exists(found) else store.jobs.get(found)


def _ids(session: Session, chosen: Chosen, count: int, order: str) -> list[str]:
    """Of the rows that the table would show."""
    if order != "submitted":
        return [row.id for row in _rows(session, chosen, count, order)]
    if chosen.is_empty:
        return session.store.row_ids(count)
    return chosen.ids(session, most=count)[::-1]


def _print_ids(session: Session, ids: Sequence[str], *, is_named: bool) -> None:
    """Of a sweep that was asked for, those of its trials."""
    if is_named and session.store.sweeps.exists(ids[0]):
        ids = session.store.sweeps.trial_ids(ids[0])
    for row_id in ids:
        click.echo(row_id)


def _print_json(session: Session, ids: Sequence[str]) -> None:
    from fusionq.cli.json_output import print_json

    print_json("jobs", _views(session, ids))


def _views(session: Session, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yields jobs and sweeps as JSON shows them, some hundred records in memory at a time."""
    from fusionq.client.json_views import view_of

    for chunk in chunks(ids, PAGE):
        rows = session.store.rows_of(chunk)
        reasons = reasons_of(session, rows)
        yield from (view_of(row, reasons.get(row.id, "")) for row in rows)


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
