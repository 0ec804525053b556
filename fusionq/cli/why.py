from __future__ import annotations

from collections import Counter

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.rows import job_note, left_text, metric_text, progress_text, reasons_of
from fusionq.cli.session import Session, verb
from fusionq.cli.words import best_text, counts_text
from fusionq.spec.failures import next_step
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Outcome, Status
from fusionq.spec.units import format_duration

MOST_WORKERS = 5
MOST_REASONS = 3  # of failed trials


@click.command()
@click.argument("job", shell_complete=complete_job)
@verb
def why(session: Session, job: str) -> None:
    """Say in a sentence what JOB waits for, how it goes, or how it ended and what to do about it.

    Of a sweep: how many of its trials are in which state, why the next one waits, and why trials failed.

    \b
    fusionq why last
    """
    store = session.store
    found = store.jobs.find(job)
    if store.sweeps.exists(found):
        sweep = store.sweeps.get(found)
        click.echo(f"{sweep.name} ({sweep.id}) {_of_sweep(session, sweep)}")
    else:
        record = store.jobs.get(found)
        click.echo(f"{record.name} ({record.id}) {_sentence(session, record)}")


def _of_sweep(session: Session, sweep: SweepRecord) -> str:
    parts = [f"{sweep.state_word.replace('_', ' ')}: {counts_text(sweep)}", best_text(sweep)]
    if not sweep.is_finished:
        reason = reasons_of(session, [sweep]).get(sweep.id, "")
        parts.append(f"the next trial {reason}" if reason else "")
    if sweep.count(Outcome.FAILED, Outcome.TIMED_OUT):
        trials = session.store.sweeps.trials(sweep.id)
        failed = [trial for trial in trials if trial.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)]
        for reason, count in Counter(trial.reason for trial in failed).most_common(MOST_REASONS):
            parts.append(f"{count} failed: {reason}")
    return "; ".join(part for part in parts if part)


def _sentence(session: Session, record: JobRecord) -> str:
    if record.status is Status.QUEUED:
        return _why_queued(session, record)
    if record.status is Status.WAITING:
        note = job_note(record, {})
        if note.startswith("held by "):
            return f"is {note}"
        word = "is held" if record.held else "waits again" if record.attempt else "is not queued yet"
        return f"{word}: {note}"
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
