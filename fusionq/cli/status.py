from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import (
    COLOURS,
    age,
    best_text,
    coloured,
    counts_text,
    duration,
    end_facts,
    say,
    share_done,
    values_text,
)
from fusionq.queue.planner import plan
from fusionq.spec.record import JobRecord, SweepRecord
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

    JOB is an id, the beginning of one, a name, or `last`. A sweep is one row; name it to see its trials.
    """
    if as_spec and job is None:
        raise click.UsageError("--spec needs a job, such as: fusionq status last --spec")
    rows = session.store.rows(count) if job is None else [_find(session, job)]
    if as_spec:
        _print_spec(session, rows[0])
    elif quiet:
        for row_id in _ids(session, rows, has_trials=job is not None):
            click.echo(row_id)
    elif as_json:
        reasons = _reasons(session, rows)
        shown = [_as_json(row, reasons) for row in rows]
        click.echo(json.dumps(shown[0] if job else shown, indent=2))
    elif job is None:
        _print_all(session, rows, count)
    elif isinstance(rows[0], SweepRecord):
        _print_sweep(session, rows[0])
    else:
        _print_one(session, rows[0])


def _find(session: Session, reference: str) -> JobRecord | SweepRecord:
    """The job or the sweep that is meant. Raises NotFoundError."""
    store = session.store
    found = store.jobs.find(reference)
    return store.sweeps.get(found) if store.sweeps.exists(found) else store.jobs.get(found)


def _ids(session: Session, rows: Sequence[JobRecord | SweepRecord], *, has_trials: bool) -> list[str]:
    """Those of the rows; of a sweep that was asked for, those of its trials."""
    if has_trials and isinstance(rows[0], SweepRecord):
        return session.store.sweeps.trial_ids(rows[0].id)
    return [row.id for row in rows]


def _reasons(session: Session, rows: Sequence[JobRecord | SweepRecord]) -> dict[str, str]:
    """Why pending jobs wait: the planner says it, at the moment of asking."""
    queued = [row for row in rows if isinstance(row, JobRecord) and row.status is Status.QUEUED]
    sweeps = {row.id for row in rows if isinstance(row, SweepRecord) and row.count(Status.QUEUED)}
    if not queued and not sweeps:
        return {}
    pending = session.store.jobs.pending(LOOKED_AT)
    looked_at = Counter(record.queue for record in pending)
    made = plan(pending, session.store.workers.alive())
    for record in reversed(pending):  # a sweep waits for what the next of its trials waits for
        if record.sweep in sweeps and record.id in made.reasons:
            made.reasons[record.sweep] = made.reasons[record.id]
    far = {r.id for r in queued if looked_at[r.queue] >= LOOKED_AT} - {a.job_id for a in made.assignments}
    return dict.fromkeys(far, f"{LOOKED_AT} jobs or more are ahead of it") | made.reasons


def _print_all(session: Session, rows: Sequence[JobRecord | SweepRecord], count: int) -> None:
    if not rows:
        say("no jobs yet; submit one: fusionq submit jobs/mnist.yaml")
        return
    _print_rows(rows, _reasons(session, rows))
    total = session.store.num_rows()
    if total > len(rows):
        say(f"the newest {count} of {total} jobs; -n shows more")


def _print_rows(rows: Sequence[JobRecord | SweepRecord], reasons: dict[str, str]) -> None:
    from rich.markup import escape

    from fusionq.cli.tables import print_table
    from fusionq.spec.params import params_text

    table = []
    for row in rows:
        is_sweep = isinstance(row, SweepRecord)
        word = row.state_word
        table.append(
            [
                row.id,
                escape(row.name if is_sweep or not row.params else params_text(row.params)),
                f"[{COLOURS[word]}]{word.replace('_', ' ')}[/]",
                f"{row.count(*Outcome)}/{row.total} trials" if is_sweep else _progress(row),
                duration(row),
                "" if is_sweep else row.worker,
                age(row),
                escape(_sweep_note(row, reasons) if is_sweep else _note(row, reasons)),
            ]
        )
    print_table(["ID", "NAME", "STATUS", "PROGRESS", "TIME", "WORKER", "AGE", "NOTE"], table)


def _sweep_note(sweep: SweepRecord, reasons: dict[str, str]) -> str:
    stops = "stopping" if sweep.stop_requested and not sweep.is_finished else ""
    waits = "" if sweep.count(Status.ASSIGNED, Status.RUNNING) else reasons.get(sweep.id, "")
    return "; ".join(part for part in (stops, counts_text(sweep), best_text(sweep), waits) if part)


def _print_sweep(session: Session, sweep: SweepRecord) -> None:
    """The sweep, and its trials beneath it."""
    trials = session.store.sweeps.trials(sweep.id)
    best = next((trial for trial in trials if trial.id == sweep.best_trial), None)
    from fusionq.spec.params import params_text

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
    _print_rows(trials, _reasons(session, trials))
    compare = f"compare them: fusionq compare {sweep.id}"
    if not sweep.is_finished:
        say(f"{compare}    stop them all: fusionq cancel {sweep.id}")
    elif sweep.outcome is Outcome.SUCCEEDED:
        say(compare)
    else:
        say(f"{compare}    those that failed once more: fusionq retry {sweep.id}")


def _print_facts(title: str, facts: list[tuple[str, str]]) -> None:
    click.echo(click.style(title, bold=True))
    for name, text in facts:
        if text:
            click.echo(f"  {name:10} {text}")


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
    from fusionq.spec.params import params_text

    facts = [
        ("name", record.name),
        ("status", coloured(record.state_word)),
        ("sweep", f"{record.sweep}: {params_text(record.params)}" if record.sweep else ""),
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
    if record.outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        _print_last_lines(session, record)
    _say_next(record)


def _code(record: JobRecord) -> str:
    """Which code it runs: its snapshot, and where that stood in git."""
    known = record.provenance
    commit = str(known.get("commit", ""))[:12] + (" with changes" if known.get("dirty") else "")
    branch = f" on {known['branch']}" if known.get("branch") else ""
    snapshot = f"snapshot {record.code[:12]}" if record.code else ""
    return ", ".join(part for part in (snapshot, f"{commit}{branch}" if known.get("commit") else "") if part)


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
        again = "" if record.outcome is Outcome.SUCCEEDED else f"    once more: fusionq retry {record.id}"
        say(f"all that it printed: fusionq logs {record.id}{again}")
    else:
        say(f"follow it: fusionq logs {record.id} -f    stop it: fusionq cancel {record.id}")


def _print_spec(session: Session, record: JobRecord | SweepRecord) -> None:
    from fusionq.spec.writer import to_yaml

    click.echo(to_yaml(session.store.jobs.spec(record.id)), nl=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _as_json(record: JobRecord | SweepRecord, reasons: dict[str, str]) -> dict[str, Any]:
    shown = _finite(record.to_json())
    for key in TIMES:
        if key in shown:
            shown[key] = datetime.fromtimestamp(shown[key], UTC).isoformat() if shown[key] else None
    if isinstance(record, JobRecord) and record.status is Status.QUEUED:
        shown["waits_for"] = reasons.get(record.id, "")
    return shown


def _finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: a metric that is none becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
