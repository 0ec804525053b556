from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from fusionq.cli.completing import complete_ended_job
from fusionq.cli.parameters import Duration, Integer, Size
from fusionq.cli.selecting import ENDED, Chosen, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError
from fusionq.spec.units import format_duration


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_ended_job)
@filter_options(all_help="All that have ended.")
@click.option("--older-than", type=Duration(), help="Ended longer ago than this, such as 30d.")
@click.option("--larger-than", type=Size(), help="With a run folder larger than this, such as 1GB.")
@click.option("--keep", type=Integer(0), metavar="N", default=0, help="All but the newest N of them.")
@click.option("--orphans", is_flag=True, help="Run folders and stored code that belong to no job in Redis.")
@click.option("--keep-files", is_flag=True, help="Leave the run folders where they are.")
@click.option("-y", "--yes", is_flag=True, help="Remove them. Without it they are only shown.")
@verb
def clean(
    session: Session,
    jobs: tuple[str, ...],
    chosen: Chosen,
    older_than: float | None,
    larger_than: int | None,
    keep: int,
    orphans: bool,
    keep_files: bool,
    yes: bool,
) -> None:
    """Show what would go, and how much room it takes; -y removes it: record, log, metrics and run folder.

    Only jobs that have ended are meant, and none that another one waits for. Without JOB and options those
    that ended longer ago than finished jobs are kept (FUSIONQ_RETENTION, 30 days).

    \b
    fusionq clean
    fusionq clean --state failed --older-than 7d -y
    fusionq clean --name 'trial-*' --keep 10 --larger-than 1GB
    fusionq clean --orphans
    """
    from fusionq.cli import disposal

    if orphans:
        if jobs or not chosen.is_empty or keep_files or keep:
            raise UsageError("--orphans stands alone", hint="only --older-than and --larger-than go with it")
        disposal.clean_orphans(session, older_than or 0.0, larger_than or 0, is_real=yes)
        return
    is_default = chosen.is_empty and older_than is None and larger_than is None and not keep
    if is_default and not jobs:
        older_than = _retention(session)
    found = disposal.look(session, _meant(session, jobs, chosen, older_than)[keep:], larger_than)
    if yes:
        disposal.remove(session, found, keeps_files=keep_files)
    else:
        disposal.show(session, found, keeps_files=keep_files)


def _retention(session: Session) -> float:
    """Raises UsageError where jobs are kept for ever."""
    older_than = session.settings.retention_s
    if older_than is None:
        raise UsageError("finished jobs are kept for ever", hint="say which: --older-than 30d, or --all")
    say(f"jobs that ended more than {format_duration(older_than)} ago:")
    return older_than


def _meant(session: Session, jobs: Sequence[str], chosen: Chosen, older_than: float | None) -> list[str]:
    """The jobs that are meant and have ended, the newest first."""
    if jobs:
        check_reference(jobs, chosen, "clean")
        return [job_id for job in jobs for job_id in _trials_or_job(session, job)]
    return replace(chosen, filters=replace(chosen.filters, older_s=older_than)).ids(session, among=ENDED)


def _trials_or_job(session: Session, reference: str) -> list[str]:
    found = session.store.jobs.find(reference)
    return session.store.sweeps.trial_ids(found)[::-1] if session.store.sweeps.exists(found) else [found]
