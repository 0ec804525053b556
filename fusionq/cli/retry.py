from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import complete_ended_job
from fusionq.cli.each_job import for_each
from fusionq.cli.selecting import ENDED, Chosen, ask_first, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import count_of, say
from fusionq.errors import StateError, UsageError
from fusionq.spec.states import Outcome

if TYPE_CHECKING:
    from fusionq.queue.current_spec import CurrentSpec
    from fusionq.spec.load import Loaded

FAILED = (str(Outcome.FAILED), str(Outcome.TIMED_OUT))
DID_NOT_SUCCEED = (*FAILED, str(Outcome.CANCELLED))


@click.command()
@click.argument("words", nargs=-1, metavar="[JOB]... [KEY.PATH=VALUE]...", shell_complete=complete_ended_job)
@click.option("--failed", is_flag=True, help="Those that failed or ran out of time.")
@filter_options(all_help="All that ended and did not succeed.")
@click.option("--resume/--fresh", "is_resumed", default=True, help="Go on from its state, or begin anew.")
@click.option("--edit", "is_edited", is_flag=True, help="Open the job file of one JOB in your editor first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where options hit many jobs.")
@verb
def retry(
    session: Session,
    words: tuple[str, ...],
    failed: bool,
    chosen: Chosen,
    is_resumed: bool,
    is_edited: bool,
    yes: bool,
) -> None:
    """Queue each JOB that has ended once more, under its own id; of a sweep the trials that did not succeed.

    It runs the job file and the code that were submitted. It goes on from its last state, a cancelled one
    too; --fresh begins anew, also where it had succeeded.

    KEY.PATH=VALUE changes its job file: more epochs, also for a job that has succeeded, another timeout,
    other resources. What its state depends on, such as model and optimizer, changes with --fresh alone.
    --edit opens the job file in $VISUAL or $EDITOR for it.

    Options choose among the jobs that ended and did not succeed. You are asked before several are queued
    again; use -y in scripts.

    \b
    fusionq retry last
    fusionq retry k3m9x2ab --fresh
    fusionq retry k3m9x2ab train.epochs=40
    fusionq retry --failed --tag lr-search -y
    """
    from fusionq.spec.overrides import is_override

    if failed:
        chosen = _only_failed(chosen)
    jobs = tuple(word for word in words if not is_override(word))
    changes = tuple(word for word in words if is_override(word))
    check_reference(jobs, chosen, "retry")
    if is_edited:
        if len(jobs) != 1 or changes:
            raise UsageError("--edit is for one job, without other changes", hint="fusionq retry --edit JOB")
        _retry_edited(session, jobs[0], fresh=not is_resumed)
    elif jobs:
        _retry_named(session, jobs, changes, fresh=not is_resumed)
    elif changes:
        raise UsageError("changes are for named jobs", hint="name them: fusionq retry JOB KEY.PATH=VALUE")
    else:
        among = ENDED if chosen.filters.states and not is_resumed else DID_NOT_SUCCEED
        _retry_selected(
            session, chosen.ids(session, oldest_first=True, among=among), yes, fresh=not is_resumed
        )


def _only_failed(chosen: Chosen) -> Chosen:
    if chosen.filters.states:
        raise UsageError("--failed and --state exclude each other", hint="give one of them")
    return replace(chosen, filters=replace(chosen.filters, states=FAILED))


def _retry_named(session: Session, jobs: Sequence[str], changes: Sequence[str], *, fresh: bool) -> None:
    """Each of them, whatever becomes of the others. Raises FusionqError where one of them cannot be."""

    def retry_one(found: str) -> None:
        if not session.store.sweeps.exists(found):
            _retry_job(session, found, changes, fresh=fresh)
        elif changes:
            raise UsageError(
                f"{found} is a sweep; changes are for single jobs",
                hint=f"name its trials: fusionq retry {found}-1 {' '.join(changes)}",
            )
        else:
            _retry_sweep(session, found, fresh=fresh)

    try:
        for_each(dict.fromkeys(session.store.jobs.find(job) for job in jobs), retry_one)
    finally:
        session.ask_for_pass()


def _retry_job(session: Session, job_id: str, changes: Sequence[str], *, fresh: bool) -> None:
    if changes:
        current = _current_spec(session, job_id)
        answer = _retry_with(session, current, current.with_overrides(changes), fresh=fresh)
    else:
        answer = session.store.jobs.retry(job_id, fresh=fresh)
    _tell(session, job_id, answer)


def _retry_edited(session: Session, job: str, *, fresh: bool) -> None:
    """Does nothing where nothing was changed."""
    from fusionq.cli.editor import edit_file

    current = _current_spec(session, session.store.jobs.find_job(job))
    job_id = current.record.id

    def apply(loaded: Loaded) -> str:
        is_changed = bool(current.changed_keys(loaded.spec))
        return _retry_with(session, current, loaded, fresh=fresh) if is_changed else ""

    answer = edit_file(current, apply)
    if not answer:
        say(f"nothing changed; {job_id} is as it was; queue it again like that: fusionq retry {job_id}")
        return
    _tell(session, job_id, answer)
    session.ask_for_pass()


def _current_spec(session: Session, job_id: str) -> CurrentSpec:
    """Returns the job file of a job that has ended. Raises StateError for one that has not."""
    from fusionq.queue.current_spec import read_current_spec

    current = read_current_spec(session.store, job_id)
    if not current.record.is_finished:
        raise StateError(
            f"{job_id} has not ended yet", hint=f"change it before it starts: fusionq edit {job_id}"
        )
    return current


def _retry_with(session: Session, current: CurrentSpec, loaded: Loaded, *, fresh: bool) -> str:
    from fusionq.cli.submission_check import check_change
    from fusionq.queue.changed_retry import retry_with

    def check() -> None:
        check_change(session, current, loaded)

    return retry_with(session.store, current, loaded, fresh=fresh, check=check)


def _tell(session: Session, job_id: str, answer: str) -> None:
    """Says what `Jobs.retry` answered. Raises StateError for what is no retry."""
    if answer == "succeeded":
        hint = (
            f"to train it further: fusionq retry {job_id} train.epochs=…; "
            f"to run it again: fusionq retry {job_id} --fresh"
        )
        raise StateError(f"{job_id} has succeeded", hint=hint)
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
    say(f"{count_of(count, 'trial')} of {sweep_id} in the queue again; look at it: fusionq status {sweep_id}")


def _retry_selected(session: Session, job_ids: Sequence[str], is_sure: bool, *, fresh: bool) -> None:
    if not job_ids:
        say("no job that ended without success matches")
        return
    ask_first(session, job_ids, "retry", is_sure=is_sure)
    answers = session.store.bulk.retry(job_ids, fresh=fresh)
    retried = [job_id for job_id, (answer, _) in answers.items() if answer == "retried"]
    for job_id in retried:
        click.echo(job_id)
    session.ask_for_pass()
    say(f"{len(retried):,} of {len(job_ids):,} jobs in the queue again; look at them: fusionq status")
    for job_id, (answer, parent) in answers.items():
        if answer == "after":
            say(f"{job_id} comes after {parent}, which did not succeed")
