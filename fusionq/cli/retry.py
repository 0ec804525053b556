from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from fusionq.cli.completing import complete_ended_job
from fusionq.cli.selecting import ENDED, Chosen, ask_first, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import FusionqError, StateError, StoreUnavailableError, UsageError
from fusionq.spec.states import Outcome

FAILED = (str(Outcome.FAILED), str(Outcome.TIMED_OUT))
DID_NOT_SUCCEED = (*FAILED, str(Outcome.CANCELLED))


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_ended_job)
@click.option("--failed", is_flag=True, help="Those that failed or ran out of time.")
@filter_options(all_help="All that ended and did not succeed.")
@click.option("--resume/--fresh", "is_resumed", default=True, help="Go on from its state, or begin anew.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where options hit many jobs.")
@verb
def retry(
    session: Session, jobs: tuple[str, ...], failed: bool, chosen: Chosen, is_resumed: bool, yes: bool
) -> None:
    """Queue each JOB that has ended once more, under its own id; of a sweep the trials that did not succeed.

    It runs the job file and the code that were submitted. It goes on from its last state, a cancelled one
    too; --fresh begins anew, also where it had succeeded.

    Options choose among the jobs that ended and did not succeed. Where they hit several you are asked; a
    script, which nobody can ask, says -y.

    \b
    fusionq retry last
    fusionq retry k3m9x2ab --fresh
    fusionq retry --failed --tag lr-search -y
    """
    if failed:
        chosen = _only_failed(chosen)
    check_reference(jobs, chosen, "retry")
    if jobs:
        _retry_named(session, jobs, fresh=not is_resumed)
    else:
        among = ENDED if chosen.filters.states and not is_resumed else DID_NOT_SUCCEED
        _retry_selected(
            session, chosen.ids(session, oldest_first=True, among=among), yes, fresh=not is_resumed
        )
    session.ask_for_pass()


def _only_failed(chosen: Chosen) -> Chosen:
    if chosen.filters.states:
        raise UsageError("--failed is a --state of its own", hint="say one of them")
    return replace(chosen, filters=replace(chosen.filters, states=FAILED))


def _retry_named(session: Session, jobs: Sequence[str], *, fresh: bool) -> None:
    """Each of them, whatever becomes of the others. Raises FusionqError where one of them cannot be."""
    errors = []
    for found in dict.fromkeys(session.store.jobs.find(job) for job in jobs):
        try:
            if session.store.sweeps.exists(found):
                _retry_sweep(session, found, fresh=fresh)
            else:
                _retry_job(session, found, fresh=fresh)
        except StoreUnavailableError:
            raise
        except FusionqError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else StateError("; ".join(error.message for error in errors))


def _retry_job(session: Session, job_id: str, *, fresh: bool) -> None:
    answer = session.store.jobs.retry(job_id, fresh=fresh)
    if answer == "succeeded":
        raise StateError(f"{job_id} has succeeded", hint=f"to run it again: fusionq retry {job_id} --fresh")
    if answer == "active":
        raise StateError(f"{job_id} has not ended yet", hint=f"look at it: fusionq status {job_id}")
    click.echo(job_id)
    say(f"{job_id} is in the queue again; follow it: fusionq logs {job_id} -f")
    if session.store.jobs.get(job_id).code:
        say("it runs your code as it was submitted; submit it again to run what you changed since")


def _retry_sweep(session: Session, sweep_id: str, *, fresh: bool) -> None:
    count = session.store.sweeps.retry(sweep_id, fresh=fresh)
    if not count:
        hint = f"to run all of them again: fusionq retry {sweep_id} --fresh"
        raise StateError(f"{sweep_id} has no trial that failed or was cancelled", hint=hint)
    click.echo(sweep_id)
    trials = "1 trial" if count == 1 else f"{count} trials"
    say(f"{trials} of {sweep_id} in the queue again; look at it: fusionq status {sweep_id}")


def _retry_selected(session: Session, job_ids: Sequence[str], is_sure: bool, *, fresh: bool) -> None:
    if not job_ids:
        say("no job that ended without success matches")
        return
    ask_first(session, job_ids, "retry", is_sure=is_sure)
    answers = session.store.bulk.retry(job_ids, fresh=fresh)
    retried = [job_id for job_id, (answer, _) in answers.items() if answer == "retried"]
    for job_id in retried:
        click.echo(job_id)
    say(f"{len(retried):,} of {len(job_ids):,} jobs in the queue again; look at them: fusionq status")
    for job_id, (answer, parent) in answers.items():
        if answer == "after":
            say(f"{job_id} comes after {parent}, which did not succeed")
