from __future__ import annotations

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.rows import job_note, left_text, metric_text, progress_text
from fusionq.cli.session import Session, verb
from fusionq.spec.failures import next_step
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.spec.units import format_duration

MOST_WORKERS = 5


@click.command()
@click.argument("job", shell_complete=complete_job)
@verb
def why(session: Session, job: str) -> None:
    """Say in a sentence what JOB waits for, how it goes, or how it ended and what to do about it.

    \b
    fusionq why last
    """
    record = session.store.jobs.get(session.store.jobs.find_job(job))
    click.echo(f"{record.name} ({record.id}) {_sentence(session, record)}")


def _sentence(session: Session, record: JobRecord) -> str:
    if record.status is Status.QUEUED:
        return _why_queued(session, record)
    if record.status is Status.WAITING:
        return f"is not queued yet: {job_note(record, {})}"
    if not record.is_finished:
        left = f"{left_text(record)} left" if left_text(record) else ""
        parts = (progress_text(record), metric_text(record), left, job_note(record, {}))
        return ", ".join(part for part in (f"runs on {record.worker}", *parts) if part)
    if record.outcome is Outcome.SUCCEEDED:
        parts = (metric_text(record) or "nothing was measured", record.warning)
        return "succeeded: " + "; ".join(part for part in parts if part)
    step = next_step(record.failure, record.id)
    return f"{record.state_word.replace('_', ' ')}: {record.reason}" + (f"; {step}" if step else "")


def _why_queued(session: Session, record: JobRecord) -> str:
    from fusionq.queue.outlook import outlook_of

    outlook = outlook_of(session.store, record.id)
    if not outlook.reason:
        return "is about to start"
    again = f" once more ({record.reason})" if record.reason else ""
    parts = [f"is queued{again}: {outlook.reason}"]
    if outlook.workers:
        more = len(outlook.workers) - MOST_WORKERS
        names = ", ".join(outlook.workers[:MOST_WORKERS]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"it fits on {names}")
    if outlook.starts_in_s is not None:
        parts.append(f"likely to start in about {format_duration(outlook.starts_in_s)}")
    return "; ".join(parts)
