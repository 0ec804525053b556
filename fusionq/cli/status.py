from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import COLOURS, age, coloured, duration, end_facts, say, share_done, values_text
from fusionq.queue.planner import plan
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.spec.units import format_duration

TIMES = ("submitted_at", "assigned_at", "started_at", "finished_at", "due_at")
LAST_LINES = 12
LOOKED_AT = 200  # pending jobs of each queue


@click.command()
@click.argument("job", required=False)
@click.option(
    "-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest."
)
@click.option("-q", "--quiet", is_flag=True, help="Print ids only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--spec", "as_spec", is_flag=True, help="Print the resolved job file of JOB.")
@verb
def status(session: Session, job: str | None, count: int, quiet: bool, as_json: bool, as_spec: bool) -> None:
    """Show the newest jobs, or everything about one.

    JOB is an id, the beginning of one, a name, or `last`.
    """
    if as_spec and job is None:
        raise click.UsageError("--spec needs a job, such as: fusionq status last --spec")
    if job is None:
        records = session.store.jobs.newest(count)
    else:
        records = [session.store.jobs.get(session.store.jobs.find(job))]
    if as_spec:
        _print_spec(session, records[0])
    elif quiet:
        for record in records:
            click.echo(record.id)
    elif as_json:
        reasons = _reasons(session, records)
        shown = [_as_json(record, reasons) for record in records]
        click.echo(json.dumps(shown[0] if job else shown, indent=2))
    elif job is not None:
        _print_one(session, records[0])
    else:
        _print_all(session, records, count)


def _reasons(session: Session, records: list[JobRecord]) -> dict[str, str]:
    """Why pending jobs wait: the planner says it, at the moment of asking."""
    queued = [record for record in records if record.status is Status.QUEUED]
    if not queued:
        return {}
    pending = session.store.jobs.pending(LOOKED_AT)
    looked_at = Counter(record.queue for record in pending)
    made = plan(pending, session.store.workers.alive())
    far = {r.id for r in queued if looked_at[r.queue] >= LOOKED_AT} - {a.job_id for a in made.assignments}
    return dict.fromkeys(far, f"{LOOKED_AT} jobs or more are ahead of it") | made.reasons


def _print_all(session: Session, records: list[JobRecord], count: int) -> None:
    if not records:
        say("no jobs yet; submit one: fusionq submit jobs/mnist.yaml")
        return
    from rich.markup import escape

    from fusionq.cli.tables import print_table

    reasons = _reasons(session, records)
    rows = []
    for record in records:
        word = record.state_word
        rows.append(
            [
                record.id,
                escape(record.name),
                f"[{COLOURS[word]}]{word.replace('_', ' ')}[/]",
                _progress(record),
                duration(record),
                record.worker,
                age(record),
                escape(_note(record, reasons)),
            ]
        )
    print_table(["ID", "NAME", "STATUS", "PROGRESS", "TIME", "WORKER", "AGE", "NOTE"], rows)
    total = session.store.jobs.count()
    if total > len(records):
        say(f"the newest {count} of {total} jobs; -n shows more")


def _progress(record: JobRecord) -> str:
    progress = record.progress
    if not progress.get("num_epochs") or record.status is Status.QUEUED:
        return ""
    epoch = min(progress["epoch"] + (progress["kind"] == "started"), progress["num_epochs"])
    return f"ep {epoch}/{progress['num_epochs']} {share_done(progress):.0%}"


def _note(record: JobRecord, reasons: dict[str, str]) -> str:
    if record.outcome is Outcome.SUCCEEDED:
        result = record.result
        best = f"best {result['monitor']} {result['best_value']:.4g}" if result.get("best_epoch") else ""
        return "; ".join(part for part in (best, record.warning) if part)
    if record.status is Status.QUEUED:
        waits = reasons.get(record.id, "about to start")
        return f"{record.reason}; {waits}" if record.reason else waits
    if record.status is Status.RUNNING:
        stops = "stopping: " + record.stop_requested if record.stop_requested else ""
        return "; ".join(part for part in (stops, _latest(record), record.warning) if part)
    return record.reason


def _latest(record: JobRecord) -> str:
    values = values_text(record.progress.get("values", {}))
    left = record.progress.get("eta_s")
    return f"{values}  {format_duration(left)} left" if left else values


def _print_one(session: Session, record: JobRecord) -> None:
    facts = [
        ("name", record.name),
        ("status", coloured(record.state_word)),
        (
            "why",
            _note(record, _reasons(session, [record])) if record.outcome is not Outcome.SUCCEEDED else "",
        ),
        ("warning", record.warning),
        ("progress", _progress(record)),
        ("queue", f"{record.queue}, priority {record.priority}"),
        ("attempt", f"{record.attempt}" + (f", {record.losses} lost" if record.losses else "")),
        ("worker", f"{record.worker} on {record.host}" if record.worker else ""),
        ("gpus", ",".join(map(str, record.assigned_gpus))),
        ("user", record.user),
        ("tags", ", ".join(record.tags)),
        ("submitted", _time(record.submitted_at)),
        ("started", _time(record.started_at)),
        ("finished", _time(record.finished_at)),
        ("ran", duration(record)),
        *end_facts(record),
    ]
    click.echo(click.style(record.id, bold=True))
    for name, text in facts:
        if text:
            click.echo(f"  {name:10} {text}")
    if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        _print_last_lines(session, record)
    _say_next(record)


def _print_last_lines(session: Session, record: JobRecord) -> None:
    from fusionq.cli.follow import Once

    text = "".join(chunk.text for chunk in Once().of(session.store.streams.log(record.id)))
    lines = text.splitlines()[-LAST_LINES:]
    if lines:
        click.echo("  last lines of its log:")
        for line in lines:
            click.echo(f"    {line}")


def _say_next(record: JobRecord) -> None:
    if record.is_finished:
        say(f"all that it printed: fusionq logs {record.id}")
    else:
        say(f"follow it: fusionq logs {record.id} -f    stop it: fusionq cancel {record.id}")


def _print_spec(session: Session, record: JobRecord) -> None:
    from fusionq.spec.writer import to_yaml

    click.echo(to_yaml(session.store.jobs.spec(record.id)), nl=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _as_json(record: JobRecord, reasons: dict[str, str]) -> dict[str, Any]:
    shown = _finite(record.to_json())
    for key in TIMES:
        shown[key] = datetime.fromtimestamp(shown[key], UTC).isoformat() if shown[key] else None
    if record.status is Status.QUEUED:
        shown["waits_for"] = reasons.get(record.id, "")
    return shown


def _finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: a metric that is none becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
