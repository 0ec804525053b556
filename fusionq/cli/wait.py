from __future__ import annotations

from collections.abc import Sequence

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.parameters import Duration
from fusionq.cli.selecting import ACTIVE, Chosen, check_reference, filter_options, named_jobs
from fusionq.cli.session import Session, verb
from fusionq.cli.words import count_of, say, say_state
from fusionq.errors import NotFoundError
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED, EXIT_TIMEOUT, Status

STATES = [str(status) for status in Status if status is not Status.WAITING]


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)
@filter_options(all_help="Every job that has not ended.")
@click.option(
    "--until",
    type=click.Choice(STATES),
    default=str(Status.FINISHED),
    show_default=True,
    help="The state to wait for; a job that has gone past it counts.",
)
@click.option(
    "--timeout", "timeout_s", type=Duration(), help=f"Give up after this long, with exit code {EXIT_TIMEOUT}."
)
@verb
def wait(session: Session, jobs: tuple[str, ...], chosen: Chosen, until: str, timeout_s: float | None) -> int:
    """Wait until each JOB has ended, with the exit code of the first that did not succeed.

    A sweep means all its trials. Options choose among the jobs that have not ended at this moment. Ctrl-C
    stops the waiting and leaves the jobs alone.

    \b
    fusionq wait last
    fusionq wait --queue night --timeout 8h
    fusionq wait k3m9x2ab --until running
    """
    check_reference(jobs, chosen, "wait")
    job_ids = named_jobs(session, jobs) if jobs else chosen.ids(session, oldest_first=True, among=ACTIVE)
    if not job_ids:
        say("no active job matches")
        return 0
    return _wait(session, job_ids, Status(until), timeout_s)


def wait_for(session: Session, jobs: Sequence[str]) -> int:
    """Waits until jobs and sweeps have ended. Returns the exit code of the first that did not succeed."""
    return _wait(session, named_jobs(session, jobs), Status.FINISHED, None)


def _wait(session: Session, job_ids: Sequence[str], until: Status, timeout_s: float | None) -> int:
    from fusionq.client.wait import wait_for_jobs

    try:
        records = wait_for_jobs(session.store, job_ids, until=until, timeout_s=timeout_s, tell=say_state)
    except TimeoutError as error:
        say(f"fusionq: {error}")
        return EXIT_TIMEOUT
    except KeyboardInterrupt:
        say("\nthe jobs go on")
        return EXIT_DETACHED
    codes = [EXIT_CODES[record.outcome] for record in records if record.outcome]
    if len(records) < len(job_ids):
        say(f"{count_of(len(job_ids) - len(records), 'job')} removed meanwhile")
        codes.append(NotFoundError.exit_code)
    return next((code for code in codes if code), 0)
