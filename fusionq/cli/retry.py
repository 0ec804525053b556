from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import FusionqError


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("--resume/--fresh", "is_resumed", default=True, help="Go on from its state, or begin anew.")
@verb
def retry(session: Session, jobs: tuple[str, ...], is_resumed: bool) -> None:
    """Queue each JOB that has ended once more, under its own id; of a sweep the trials that did not succeed.

    It runs the job file and the code that were submitted. It goes on from its last state; --fresh begins
    anew, also where it had succeeded.

    \b
    fusionq retry last
    fusionq retry k3m9x2ab --fresh
    """
    for job_id in [session.store.jobs.find(job) for job in jobs]:
        if session.store.sweeps.exists(job_id):
            _retry_sweep(session, job_id, fresh=not is_resumed)
        else:
            _retry_job(session, job_id, fresh=not is_resumed)
    session.ask_for_pass()


def _retry_job(session: Session, job_id: str, *, fresh: bool) -> None:
    answer = session.store.jobs.retry(job_id, fresh=fresh)
    if answer == "succeeded":
        raise FusionqError(f"{job_id} has succeeded", hint=f"do it again: fusionq retry {job_id} --fresh")
    if answer == "active":
        raise FusionqError(f"{job_id} has not ended yet", hint=f"look at it: fusionq status {job_id}")
    click.echo(job_id)
    say(f"{job_id} is in the queue again; follow it: fusionq logs {job_id} -f")
    if session.store.jobs.get(job_id).code:
        say("it runs your code as it was submitted; submit it again to run what you changed since")


def _retry_sweep(session: Session, sweep_id: str, *, fresh: bool) -> None:
    count = session.store.sweeps.retry(sweep_id, fresh=fresh)
    if not count:
        hint = f"do them all again: fusionq retry {sweep_id} --fresh"
        raise FusionqError(f"{sweep_id} has no trial that failed or was cancelled", hint=hint)
    click.echo(sweep_id)
    trials = "1 trial" if count == 1 else f"{count} trials"
    say(f"{trials} of {sweep_id} in the queue again; look at it: fusionq status {sweep_id}")
