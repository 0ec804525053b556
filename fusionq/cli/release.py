from __future__ import annotations

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.each_job import for_each
from fusionq.cli.selecting import Chosen, active_jobs, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import of_trials, say
from fusionq.errors import StateError


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_active_job)
@filter_options(all_help="All that are held.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where options hit many jobs.")
@verb
def release(session: Session, jobs: tuple[str, ...], chosen: Chosen, yes: bool) -> None:
    """Let each held JOB run again, from its old place in the queue.

    \b
    fusionq release last
    fusionq release --all -y
    """
    check_reference(jobs, chosen, "release")

    def release_job(job_id: str) -> None:
        answers = session.store.jobs.release(job_id)
        if answers["finished"] == answers.total():
            raise StateError(f"{job_id} has ended already", hint=f"look at it: fusionq status {job_id}")
        what = f"is released{of_trials(answers, 'released')}" if answers["released"] else "was not held"
        say(f"{job_id} {what}")

    try:
        found = active_jobs(session, jobs, chosen, "release", is_sure=yes, held_only=True)
        for_each(found, release_job)
    finally:
        session.ask_for_pass()
