from __future__ import annotations

import sys
from pathlib import Path

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say, say_end
from fusionq.spec.paths import RunPaths
from fusionq.spec.record import JobRecord
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED


@click.command()
@click.argument("job")
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on until the job ends, with its exit code."
)
@verb
def logs(session: Session, job: str, is_followed: bool) -> int:
    """Print what JOB printed. JOB is an id, the beginning of one, a name, or `last`.

    \b
    fusionq logs last -f
    """
    job_id = session.store.jobs.find_job(job)
    record = session.store.jobs.get(job_id)
    if not is_followed:
        _print_all(session, record)
        return 0
    return _follow(session, job_id)


def _follow(session: Session, job_id: str) -> int:
    from fusionq.client.follow import Watcher, follow

    class Printer(Watcher):
        def on_text(self, text: str) -> None:
            sys.stdout.write(text)
            sys.stdout.flush()

        def on_record(self, record: JobRecord) -> None:
            if not record.is_finished and not record.started_at:
                say(f"{record.name} ({record.id}) is {record.status}; Ctrl-C leaves it alone")

        def on_outage(self, error: Exception) -> None:
            say(f"{error}; trying again")

    try:
        record = follow(session.store, job_id, Printer())
    except KeyboardInterrupt:
        say(f"\nthe job goes on; come back with: fusionq logs {job_id} -f")
        return EXIT_DETACHED
    say_end(record)
    return EXIT_CODES[record.outcome] if record.outcome else 0


def _print_all(session: Session, record: JobRecord) -> None:
    from fusionq.client.follow import Once

    is_first = True
    for chunk in Once().of(session.store.streams.log(record.id)):
        if is_first and chunk.start > 0:
            _print_beginning(record, chunk.start)
        is_first = False
        sys.stdout.write(chunk.text)
    if is_first:
        say(f"{record.name} ({record.id}) is {record.state_word} and printed nothing")


def _print_beginning(record: JobRecord, end: int) -> None:
    """What the stream no longer holds, from the run folder where this machine sees it."""
    path = RunPaths(Path(record.run_dir)).output_log
    try:
        with path.open("rb") as handle:
            sys.stdout.write(handle.read(end).decode(errors="replace"))
    except OSError:
        say(f"(the first {end:,} bytes are no longer in Redis; they are in {path} on {record.host})")
