"""Words for people: states in colour, ages, and the last lines about a job."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import click

from fusionq.spec.metric_keys import measured
from fusionq.spec.printable import printable
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.units import format_duration

COLOURS = {
    "waiting": "yellow",
    "queued": "yellow",
    "assigned": "cyan",
    "running": "blue",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
    "timed_out": "red",
}


def say(text: str = "") -> None:
    """A word to the person: on stderr, so that stdout stays data."""
    click.echo(text, err=True)


def coloured(word: str) -> str:
    return click.style(word.replace("_", " "), fg=COLOURS.get(word))


def count_of(count: int, thing: str) -> str:
    """`1 job`, `2,000 jobs`."""
    return f"1 {thing}" if count == 1 else f"{count:,} {thing}s"


def say_state(record: JobRecord | SweepRecord) -> None:
    """Where a job or a sweep is, and why it came there."""
    if isinstance(record, SweepRecord):
        where, why = "", counts_text(record)
    else:
        where = f" on {record.worker}" if record.worker and not record.is_finished else ""
        why = record.reason
    say(f"{record.name} ({record.id}) {coloured(record.state_word)}{where}" + (f": {why}" if why else ""))


def of_trials(answers: Counter[str], word: str) -> str:
    """For how many of its trials an answer was `word`, where it is a sweep that was asked for."""
    return f" ({answers[word]} of {answers.total()} trials)" if answers.total() > 1 else ""


def age(record: JobRecord | SweepRecord) -> str:
    return format_duration(max(0.0, time.time() - record.submitted_at))


def when(seconds: float) -> str:
    """A moment to come: `in 2h 05m, at 22:00`."""
    moment, left = datetime.fromtimestamp(seconds), seconds - time.time()
    if left <= 0:
        return "any moment now"
    day = "" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d} "
    return f"in {format_duration(left)}, at {day}{moment:%H:%M}"


def duration(record: JobRecord | SweepRecord) -> str:
    """How long it ran, or has run."""
    return format_duration(run_seconds(record)) if record.started_at else ""


def run_seconds(record: JobRecord | SweepRecord) -> float:
    """Returns the seconds since it was first started, up to its end."""
    if not record.started_at:
        return 0.0
    return max(0.0, (record.finished_at or time.time()) - record.started_at)


def key_value_text(values: dict[str, float]) -> str:
    """The one value that says most: of validation, then test, then training; a metric before a loss."""
    phases = {"val": 0, "test": 1}
    names = list(measured(values))
    names.sort(key=lambda name: (phases.get(name.partition("_")[0], 2), name.endswith("loss")))
    return f"{names[0]} {values[names[0]]:.4g}" if names else ""


def values_text(values: dict[str, float]) -> str:
    return "  ".join(value_texts(values))


def value_texts(values: Mapping[str, float]) -> list[str]:
    """Returns each value behind its name, to four digits."""
    return [f"{key} {value:.4g}" for key, value in measured(values).items()]


def say_end(record: JobRecord | SweepRecord) -> None:
    """How it ended and where its things are."""
    if isinstance(record, SweepRecord):
        _say_end_of_sweep(record)
        return
    took = f" in {duration(record)}" if duration(record) else ""
    why = f": {record.reason}" if record.reason else ""
    say(f"{coloured(record.state_word)}{took}  {record.name} ({record.id}){why}")
    if record.warning:
        say(click.style(f"  warning  {record.warning}", fg="yellow"))
    for name, text in end_facts(record):
        say(f"  {name:8} {printable(text)}")


def _say_end_of_sweep(record: SweepRecord) -> None:
    took = f" in {duration(record)}" if duration(record) else ""
    say(f"{coloured(record.state_word)}{took}  {record.name} ({record.id}): {counts_text(record)}")
    if best := best_text(record):
        say(f"  {best}")
    say(f"  compare its trials: fusionq compare {record.id}")


def counts_text(record: SweepRecord) -> str:
    """`3 of 8 done, 2 running, 1 failed`: what is there is told."""
    counts = {word.replace("_", " "): record.count(word) for word in COLOURS if word != "succeeded"}
    counts["running"] += counts.pop("assigned")
    others = [f"{count} {word}" for word, count in counts.items() if count]
    return ", ".join([f"{record.count('succeeded')} of {record.total} done", *others])


def best_text(record: SweepRecord) -> str:
    """The best trial so far; empty while there is none."""
    if record.best_value is None:
        return ""
    return f"best {record.monitor} {record.best_value:.4g} ({record.best_trial})"


def end_facts(record: JobRecord) -> list[tuple[str, str]]:
    """What is worth knowing about a job that ran: its result and its files."""
    facts = []
    result = record.result
    if result.get("best_epoch"):
        facts.append(
            ("best", f"epoch {result['best_epoch']}, {result['monitor']} {result['best_value']:.4g}")
        )
    if result.get("values"):
        facts.append(("last", values_text(result["values"])))
    if result.get("best_model"):
        facts.append(("model", result["best_model"]))
    facts += [("file", path) for key in ("files", "exports") for path in result.get(key, ())]
    if record.run_dir:
        facts.append(("log", str(record.paths.output_log)))
        if result.get("best_model"):
            facts.append(("plots", str(record.paths.plots)))
        facts.append(("folder", record.run_dir))
    return facts
