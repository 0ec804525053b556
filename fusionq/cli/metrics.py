from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import complete_job, complete_metric
from fusionq.cli.selecting import named_jobs
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError
from fusionq.spec.metric_keys import EPOCH
from fusionq.spec.near import nearest_part
from fusionq.spec.states import Status

if TYPE_CHECKING:
    from fusionq.client.metrics import Metrics
    from fusionq.spec.record import JobRecord

MOST_WITHIN = 20  # rows of a table within the first epoch, the newest ones


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...", shell_complete=complete_job)
@click.option(
    "-k",
    "--key",
    "keys",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_metric,
    help="Only this value; may be repeated.",
)
@click.option(
    "--plot", "is_plotted", is_flag=True, help="Draw curves; those of several jobs lie over each other."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def metrics(
    session: Session,
    jobs: tuple[str, ...],
    keys: tuple[str, ...],
    is_plotted: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show what each JOB measured, epoch by epoch; within the first one, second by second.

    \b
    fusionq metrics last
    fusionq metrics last --plot
    fusionq metrics ID ID --plot -k test_accuracy
    fusionq metrics last --csv > curves.csv
    """
    if is_plotted + as_csv + as_json > 1:
        raise UsageError("--plot, --csv and --json are three ways to show it; give one of them")
    found = _read(session, jobs, is_plotted=is_plotted, for_programs=as_json or as_csv)
    chosen = _names(found, keys)
    if as_json:
        _print_json(session, found, chosen)
    elif as_csv:
        _print_csv(found, chosen)
    elif is_plotted:
        from fusionq.cli.curves import print_curves

        print_curves(found, chosen)
    else:
        _print_table(found, chosen)


def _read(
    session: Session, jobs: Sequence[str], *, is_plotted: bool, for_programs: bool
) -> dict[str, Metrics]:
    """By id. One that has measured nothing yet is said and left out.

    People see what was measured within the first epoch while it goes on; a curve takes more than one point.
    """
    from fusionq.client.metrics import read_metrics, read_progress

    found = {}
    for record in session.store.jobs.get_many(named_jobs(session, jobs)):
        found[record.id] = read_metrics(session.store, record)
        if not for_programs and len(found[record.id]) <= is_plotted:
            within = read_progress(session.store, record)
            if len(within) > len(found[record.id]):
                say(f"{record.name} ({record.id}): values within the first epoch, one a second")
                found[record.id] = within if is_plotted else within[-MOST_WITHIN:]
        if not found[record.id]:
            say(f"{record.name} ({record.id}) {_why_nothing(record)}")
    return found


def _why_nothing(record: JobRecord) -> str:
    """Why a job has no values, and where to look."""
    if record.is_finished:
        return f"has ended without a value; see why: fusionq why {record.id}"
    if record.status is Status.RUNNING:
        return f"runs and has measured nothing yet; see what it does: fusionq logs {record.id} -f"
    return f"is {record.state_word} and has measured nothing yet; see why: fusionq why {record.id}"


def _names(found: Mapping[str, Metrics], keys: Sequence[str]) -> list[str]:
    """Which columns to show, the epoch first. Raises UsageError for a value that nobody measured."""
    known = list(dict.fromkeys(name for its in found.values() for name in its.names if name != EPOCH))
    for key in keys:
        if known and key not in known:
            near = nearest_part(key, known)
            hint = f"did you mean {near!r}?" if near else f"measured were {', '.join(known)}"
            raise UsageError(f"no metric is called {key!r}", hint=hint)
    return [EPOCH, *(keys or known)]


def _print_json(session: Session, found: Mapping[str, Metrics], names: Sequence[str]) -> None:
    from fusionq.cli.json_output import print_json

    print_json(
        "jobs",
        (
            {
                "id": record.id,
                "name": record.name,
                "state": record.state_word,
                "epochs": [_only(row, names) for row in found[record.id]],
            }
            for record in session.store.jobs.get_many(found)
        ),
    )


def _only(row: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return {name: row[name] for name in names if name in row}


def _print_csv(found: Mapping[str, Metrics], names: Sequence[str]) -> None:
    import csv
    import sys

    head = ["job"] if len(found) > 1 else []
    writer = csv.DictWriter(sys.stdout, [*head, *names], lineterminator="\n", restval="")
    writer.writeheader()
    for job_id, its in found.items():
        writer.writerows({**dict.fromkeys(head, job_id), **_only(row, names)} for row in its)


def _print_table(found: Mapping[str, Metrics], names: Sequence[str]) -> None:
    from fusionq.cli.tables import print_table

    rows = [
        [job_id if len(found) > 1 else "", *(_cell(name, row.get(name)) for name in names)]
        for job_id, its in found.items()
        for row in its
    ]
    if rows:
        print_table(["JOB", *names], rows)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == EPOCH:
        return f"{value:.0f}" if value == int(value) else f"{value:.3f}"
    return f"{value:.4g}"
