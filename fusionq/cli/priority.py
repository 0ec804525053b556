from __future__ import annotations

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.parameters import Integer
from fusionq.cli.session import Session, verb
from fusionq.cli.words import of_trials, say
from fusionq.errors import StateError
from fusionq.spec.record import MOST_PRIORITY


@click.command(context_settings={"ignore_unknown_options": True})  # for numbers below zero
@click.argument("job", shell_complete=complete_active_job)
@click.argument("priority", type=Integer(-MOST_PRIORITY, MOST_PRIORITY))
@verb
def priority(session: Session, job: str, priority: int) -> None:
    """Change the PRIORITY of a JOB, or of all trials of a sweep: higher goes first, then who came first.

    A running job keeps running; the priority counts when it comes back to its queue.

    \b
    fusionq priority last 10
    fusionq priority k3m9x2ab -5
    """
    job_id = session.store.jobs.find(job)
    answers = session.store.jobs.set_priority(job_id, priority)
    if not answers["changed"]:
        raise StateError(f"{job_id} has ended already", hint=f"look at it: fusionq status {job_id}")
    say(f"{job_id} has priority {priority} now{of_trials(answers, 'changed')}; its place: fusionq status")
    session.ask_for_pass()
