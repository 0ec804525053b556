from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import coloured, counts_text, say
from fusionq.errors import FusionqError
from fusionq.spec.states import Outcome, Status


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is really gone.")
@verb
def cancel(session: Session, jobs: tuple[str, ...], no_wait: bool) -> None:
    """Stop each JOB for good; a sweep means all its trials. The command returns when they are gone.

    A running one saves its state first.

    \b
    fusionq cancel last
    """
    for job_id in [session.store.jobs.find(job) for job in jobs]:
        if session.store.sweeps.exists(job_id):
            _cancel_sweep(session, job_id, no_wait)
        else:
            _cancel_job(session, job_id, no_wait)


def _cancel_job(session: Session, job_id: str, no_wait: bool) -> None:
    from fusionq.cli.follow import Watcher, follow

    store = session.store
    answer = store.jobs.cancel(job_id, "cancelled by the user before it ran")
    if answer == "asked" and not no_wait:
        say(f"{job_id} saves its state and stops …")
        follow(store, job_id, Watcher())
    record = store.jobs.get(job_id)
    if record.sweep:
        session.ask_for_pass()  # for the trial whose turn it is now
    if answer == "finished" and record.outcome is not Outcome.CANCELLED:
        raise FusionqError(f"{job_id} has ended already: {record.state_word}")
    say(
        f"{record.name} ({job_id}) {coloured(record.state_word)}"
        + (f": {record.reason}" if record.reason else "")
    )


def _cancel_sweep(session: Session, sweep_id: str, no_wait: bool) -> None:
    from fusionq.cli.follow import Watcher, follow

    store = session.store
    done = store.sweeps.cancel(sweep_id, "cancelled by the user before it ran")
    if not done.cancelled and not done.asked:
        record = store.sweeps.get(sweep_id)
        raise FusionqError(f"{sweep_id} has ended already: {counts_text(record)}")
    if done.asked and not no_wait:
        say(f"{done.asked} trials save their state and stop …")
        running = [trial for trial in store.sweeps.trials(sweep_id) if trial.status is Status.RUNNING]
        for trial in running:
            follow(store, trial.id, Watcher())
    record = store.sweeps.get(sweep_id)
    say(f"{record.name} ({sweep_id}) {coloured(record.state_word)}: {counts_text(record)}")
