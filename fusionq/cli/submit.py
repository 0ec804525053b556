from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.submission_options import Submission, submission_options
from fusionq.cli.words import say, when
from fusionq.errors import UsageError
from fusionq.spec.times import parse_time

if TYPE_CHECKING:
    from fusionq.queue.submission import Submitted


@click.command()
@submission_options
@click.option("--dry-run", is_flag=True, help="Print what would be queued, and queue nothing.")
@click.option("--deep", "is_deep", is_flag=True, help="Wait for the deep check, however long it takes.")
@click.option("--wait", "is_awaited", is_flag=True, help="Return once all has ended, with its exit code.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of ids.")
@verb
def submit(
    session: Session, submission: Submission, dry_run: bool, is_deep: bool, is_awaited: bool, as_json: bool
) -> int:
    """Check a job FILE, put its jobs into the queue, and print their ids.

    Several values for one key make a sweep: one row, one id, a job for every combination. Each option that
    changes the job stands for an override, such as --gpus 2 for resources.gpus=2; --tag adds to the file's.

    \b
    fusionq submit job.yaml
    fusionq submit job.yaml optimizer.lr=1e-2 train.epochs=5
    fusionq submit job.yaml optimizer.lr=1e-2,1e-3 train.seed=1,2
    fusionq submit job.yaml --at 22:00 --queue night --priority 5
    """
    from fusionq.cli.dry_run import print_all
    from fusionq.cli.submission_check import CheckByWorker, check_here, warn_never
    from fusionq.queue.submission import submit_all
    from fusionq.queue.work_folder import work_folder

    if dry_run and (is_awaited or as_json):
        raise UsageError("--dry-run queues nothing, so there is nothing to wait for or to print as JSON")
    loaded = submission.load()
    if dry_run:
        print_all(session, loaded, is_deep)
        return 0
    if is_deep:
        check_here(session, loaded)
    store, folder = session.store, work_folder()
    look = None if is_deep else CheckByWorker(session, folder)
    done = []
    for submitted in submit_all(store, session.sender, session.settings, loaded, folder, look):
        done.append(submitted)
        if not as_json:
            click.echo(submitted.id)
        _say_queued(submitted)
    if as_json:
        from fusionq.cli.json_output import print_json

        print_json("jobs", (_as_json(session, submitted) for submitted in done))
    _say_what_is_next(done)
    warn_never(session, (spec for one in done for spec in one.loaded.jobs))
    return _await(session, done) if is_awaited else 0


def _as_json(session: Session, submitted: Submitted) -> dict[str, Any]:
    trials = session.store.sweeps.trial_ids(submitted.id) if submitted.loaded.trials else []
    return {
        "id": submitted.id,
        "name": submitted.spec.name,
        "queue": submitted.spec.queue,
        "is_new": not submitted.is_twin,
        "trials": trials,
    }


def _say_queued(submitted: Submitted) -> None:
    spec = submitted.spec
    for note in submitted.notes:
        say(f"  {note}")
    if submitted.is_twin:
        say(f"{spec.name} is there already: nothing new was queued")
    elif trials := submitted.loaded.trials:
        say(f"{spec.name} is a sweep of {len(trials)} trials in the queue {spec.queue!r}")
    else:
        say(f"{spec.name} is in the queue {spec.queue!r}")
    if submitted.is_twin:
        return
    if spec.hold:
        say(f"it is held; to let it run: fusionq release {submitted.id}")
    if spec.not_before:
        moment = parse_time(spec.not_before, datetime.now(UTC))
        is_past = moment <= datetime.now(UTC)
        say("--at is in the past; starting now" if is_past else f"it starts {when(moment.timestamp())}")


def _say_what_is_next(done: list[Submitted]) -> None:
    """The commands for what was queued; for several documents once."""
    job_id = done[0].id if len(done) == 1 else "ID"
    has_jobs = any(not one.loaded.trials for one in done)
    if has_jobs and not (len(done) == 1 and done[0].is_twin):
        say(f"  follow it   fusionq logs {job_id} -f")
    say(f"  look at it  fusionq status {job_id}")
    if any(one.loaded.trials for one in done):
        say(f"  compare     fusionq compare {job_id}")
    if any(not one.is_twin for one in done):
        say(f"  stop it     fusionq cancel {job_id}")


def _await(session: Session, done: list[Submitted]) -> int:
    from fusionq.cli.wait import wait_for

    return wait_for(session, [one.id for one in done])
