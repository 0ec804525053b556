from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import coloured, say
from fusionq.errors import FusionqError
from fusionq.spec.states import Outcome


@click.command()
@click.argument("job")
@click.option("--no-wait", is_flag=True, help="Do not wait until the job is really gone.")
@verb
def cancel(session: Session, job: str, no_wait: bool) -> None:
    """Stop JOB for good. A running one saves its state first; the command returns when it is gone."""
    from fusionq.cli.follow import Watcher, follow

    store = session.store
    job_id = store.jobs.find(job)
    answer = store.jobs.cancel(job_id, "cancelled by the user before it ran")
    if answer == "asked" and not no_wait:
        say(f"{job_id} saves its state and stops …")
        follow(store, job_id, Watcher())
    record = store.jobs.get(job_id)
    if answer == "finished" and record.outcome is not Outcome.CANCELLED:
        raise FusionqError(f"{job_id} has ended already: {record.state_word}")
    say(
        f"{record.name} ({job_id}) {coloured(record.state_word)}"
        + (f": {record.reason}" if record.reason else "")
    )
