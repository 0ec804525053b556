"""Everything about one job, or about one sweep, on one screen."""

from __future__ import annotations

from datetime import datetime

import click

from fusionq.cli.folding import Folder
from fusionq.cli.rows import job_note, left_text, print_rows, progress_text, reasons_of
from fusionq.cli.session import Session
from fusionq.cli.terminal_text import coloured_line
from fusionq.cli.tracebacks import without_library_frames
from fusionq.cli.words import best_text, coloured, counts_text, duration, end_facts, say, values_text
from fusionq.spec.failures import next_step
from fusionq.spec.params import params_text
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Outcome

LAST_LINES = 12
RECENT_CHUNKS = 200  # pieces of the log, among which they are
LONGEST_LINE = 500  # characters of each; `logs` prints them whole


def print_sweep(session: Session, sweep: SweepRecord) -> None:
    """The sweep, and its trials beneath it."""
    trials = session.store.sweeps.trials(sweep.id)
    best = next((trial for trial in trials if trial.id == sweep.best_trial), None)
    _print_facts(
        sweep.id,
        [
            ("name", sweep.name),
            ("status", coloured(sweep.state_word)),
            ("trials", counts_text(sweep)),
            ("best", f"{best_text(sweep)[5:]}: {params_text(best.params)}" if best else ""),
            ("method", sweep.method + (f", {sweep.max_parallel} at once" if sweep.max_parallel else "")),
            ("queue", f"{sweep.queue}, priority {sweep.priority}"),
            ("user", sweep.user),
            ("tags", ", ".join(sweep.tags)),
            ("submitted", _time(sweep.submitted_at)),
            ("ran", duration(sweep)),
        ],
    )
    print_rows(trials, reasons_of(session, trials))
    compare = f"compare them: fusionq compare {sweep.id}"
    if not sweep.is_finished:
        say(f"{compare}    stop them all: fusionq cancel {sweep.id}")
    elif sweep.outcome is Outcome.SUCCEEDED:
        say(compare)
    else:
        say(f"{compare}    those that failed once more: fusionq retry {sweep.id}")


def print_job(session: Session, record: JobRecord) -> None:
    """All that is known of a job, and what to do next."""
    note = job_note(record, reasons_of(session, [record]))
    has_failed = record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
    facts = [
        ("name", record.name),
        ("status", coloured(record.state_word)),
        ("sweep", f"{record.sweep}: {params_text(record.params)}" if record.sweep else ""),
        ("changed", params_text(record.params) if not record.sweep else ""),
        ("why", "" if has_failed or note == record.warning else note),
        ("failure", record.failure if record.outcome is not Outcome.SUCCEEDED else ""),
        ("warning", record.warning),
        ("progress", _progress(record)),
        ("values", "" if record.is_finished else values_text(record.progress.get("values", {}))),
        ("queue", f"{record.queue}, priority {record.priority}"),
        ("after", _after(record)),
        ("attempt", f"{record.attempt}" + (f", {record.losses} lost" if record.losses else "")),
        ("worker", _worker(record)),
        ("gpus", ",".join(map(str, record.assigned_gpus))),
        ("code", _code(record)),
        ("user", record.user),
        ("tags", ", ".join(record.tags)),
        ("submitted", _time(record.submitted_at)),
        ("started", _time(record.started_at)),
        ("finished", _time(record.finished_at)),
        ("ran", duration(record)),
        *end_facts(record),
    ]
    _print_facts(record.id, facts)
    if has_failed:
        _print_last_lines(session, record)
        # At the end, where it is not scrolled away.
        click.echo(f"{coloured(record.state_word)}: {coloured_line(note)}")
    _say_next(record)


def _progress(record: JobRecord) -> str:
    left = left_text(record)
    return progress_text(record) + (f"  {left} left" if left else "")


def _worker(record: JobRecord) -> str:
    """Where it runs, with the other workers of a job on several."""
    others = ", ".join(name for name, _ in record.members)
    where = f"{record.worker} on {record.host}" if record.worker else ""
    return f"{where}, with {others}" if where and others else where


def _after(record: JobRecord) -> str:
    """What it comes after, and what that must have come to."""
    jobs = (f" {'or' if record.after_need == 'any' else 'and'} ").join(record.after)
    words = {"cancel": ", else cancelled", "run": ", however they end"}.get(record.after_failure, "")
    model = f"takes the model of {record.model_from}" if record.model_from else ""
    return "; ".join(part for part in (jobs and jobs + words, model) if part)


def _code(record: JobRecord) -> str:
    """Which code it runs: its snapshot, and where that stood in git."""
    known = record.provenance
    commit = str(known.get("commit", ""))[:12] + (" with changes" if known.get("dirty") else "")
    branch = f" on {known['branch']}" if known.get("branch") else ""
    snapshot = f"snapshot {record.code[:12]}" if record.code else ""
    return ", ".join(part for part in (snapshot, f"{commit}{branch}" if known.get("commit") else "") if part)


def _print_last_lines(session: Session, record: JobRecord) -> None:
    from fusionq.client.follow import Once

    folder = Folder()
    newest = session.store.streams.recent_log(record.id, RECENT_CHUNKS)
    printed = [folder.feed(chunk.text) for chunk in Once().of(newest)]
    lines = without_library_frames("".join([*printed, folder.end()]).splitlines())[-LAST_LINES:]
    if lines:
        click.echo("  last lines of its log:")
        for line in lines:
            click.echo(f"    {coloured_line(line[:LONGEST_LINE])}")


def _say_next(record: JobRecord) -> None:
    if record.is_finished:
        step = next_step(record.failure, record.id) if record.outcome is Outcome.FAILED else ""
        logs, again = f"fusionq logs {record.id}", f"fusionq retry {record.id}"
        if step and logs not in step:
            say(step)
        words = [f"whole log: {logs}"]
        words += [] if record.outcome is Outcome.SUCCEEDED or again in step else [f"run it again: {again}"]
        say("    ".join(words))
    else:
        say(f"follow it: fusionq logs {record.id} -f    stop it: fusionq cancel {record.id}")


def _print_facts(title: str, facts: list[tuple[str, str]]) -> None:
    click.echo(click.style(title, bold=True))
    for name, text in facts:
        if text:
            click.echo(f"  {name:10} {coloured_line(text)}")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""
