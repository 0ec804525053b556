from __future__ import annotations

from collections import Counter

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.each_job import for_each
from fusionq.cli.selecting import Chosen, active_jobs, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import of_trials, say
from fusionq.errors import StateError
from fusionq.spec.users import user_name


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_active_job)
@filter_options(all_help="All that have not ended.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where options hit many jobs.")
@verb
def hold(session: Session, jobs: tuple[str, ...], chosen: Chosen, yes: bool) -> None:
    """Keep each JOB from running until it is released; a sweep means all its trials.

    A running one saves its state, makes room, and goes on from there once it is released.

    \b
    fusionq hold last
    fusionq hold --tag night -y
    """
    check_reference(jobs, chosen, "hold")

    def hold_job(job_id: str) -> None:
        reason = f"held by {user_name()}; to let it run: fusionq release {job_id}"
        _tell(job_id, session.store.jobs.hold(job_id, reason))

    try:
        for_each(active_jobs(session, jobs, chosen, "hold", is_sure=yes), hold_job)
    finally:
        session.ask_for_pass()  # for the trial whose turn it is now, and for the room that it leaves


def _tell(job_id: str, answers: Counter[str]) -> None:
    if answers["finished"] == answers.total():
        raise StateError(f"{job_id} has ended already", hint=f"look at it: fusionq status {job_id}")
    if answers["asked"]:
        say(f"holding {job_id}: it will save its state and pause{of_trials(answers, 'asked')}")
    if answers["held"]:
        say(f"{job_id} is held{of_trials(answers, 'held')}; to let it run: fusionq release {job_id}")
    if answers["already"] and not (answers["asked"] or answers["held"]):
        say(f"{job_id} was held already")
