from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import LAST, complete_job
from fusionq.cli.folding import folder_for_stdout
from fusionq.cli.parameters import Duration, Integer
from fusionq.cli.selecting import named_jobs
from fusionq.cli.session import Session, verb
from fusionq.cli.terminal_text import TerminalText
from fusionq.cli.words import coloured, say, say_end
from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.params import params_text
from fusionq.spec.record import JobRecord
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED

if TYPE_CHECKING:
    from fusionq.client.follow import Once
    from fusionq.store.store import Store
    from fusionq.store.streams import LogChunk

POLL_S = 0.2
LINES_OF_EACH = 10  # where several jobs are meant


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on until the job ends, with its exit code."
)
@click.option(
    "-n", "-t", "--tail", "--lines", type=Integer(0), metavar="N", help="Begin with the last N lines."
)
@click.option(
    "--since", "since_s", type=Duration(), help="Only what was printed within this time, such as 5m."
)
@click.option("--attempt", type=Integer(1), metavar="K", help="Only what this attempt printed.")
@click.option("--rank", type=Integer(0), metavar="R", help="What this process of a job of several printed.")
@verb
def logs(
    session: Session,
    jobs: tuple[str, ...],
    is_followed: bool,
    tail: int | None,
    since_s: float | None,
    attempt: int | None,
    rank: int | None,
) -> int:
    """Print what JOB printed. JOB is an id, the beginning of one, a name, or `last`.

    Without JOB, the one that was started last and still runs. Of several jobs, or a sweep, the last lines of
    each.

    \b
    fusionq logs -f
    fusionq logs k3m9x2ab n4p7q8rs
    fusionq logs last -f --tail 20
    fusionq logs last --rank 1
    """
    job_ids = named_jobs(session, jobs) if jobs else [_running_or_last(session)]
    if len(job_ids) > 1:
        if is_followed or rank or attempt:
            raise UsageError(
                f"{len(job_ids)} jobs are meant, and -f, --attempt and --rank are for one",
                hint="name one of them",
            )
        return _print_each(session, job_ids, LINES_OF_EACH if tail is None else tail, since_s)
    record = session.store.jobs.get(job_ids[0])
    if rank:
        if since_s is not None or attempt:
            raise UsageError("--rank cannot be combined with --since or --attempt")
        return _print_rank(session, record, rank, tail, is_followed)
    reading = _Reading(session, record, _Wanted(attempt, _moment(session, since_s)))
    return reading.follow(tail) if is_followed else reading.print_all(tail)


def _running_or_last(session: Session) -> str:
    """The job that was started last of those that run; where none does, the one that was submitted last."""
    active = session.store.jobs.active()
    return active[-1].id if active else session.store.jobs.find_job(LAST)


def _print_each(session: Session, job_ids: Sequence[str], tail: int, since_s: float | None) -> int:
    wanted = _Wanted(None, _moment(session, since_s))
    for record in session.store.jobs.get_many(job_ids):
        params = f"  {params_text(record.params)}" if record.params else ""
        click.echo(f"==> {record.name} ({record.id})  {coloured(record.state_word)}{params}")
        _Reading(session, record, wanted).print_all(tail)
    return 0


def _moment(session: Session, since_s: float | None) -> float:
    """So many seconds ago, in seconds since 1970."""
    return 0.0 if since_s is None else session.store.now() - since_s


@dataclass(frozen=True)
class _Wanted:
    attempt: int | None
    since: float

    @property
    def is_all(self) -> bool:
        return self.attempt is None and not self.since

    def takes(self, chunk: LogChunk) -> bool:
        return self.attempt in (None, chunk.attempt) and chunk.at >= self.since


class _Reading:
    """One call: what was printed so far, each piece once, and what comes then."""

    def __init__(self, session: Session, record: JobRecord, wanted: _Wanted) -> None:
        from fusionq.client.follow import Once

        self._session = session
        self._record = record
        self._wanted = wanted
        self._once: Once = Once()
        self._cursor = "0-0"

    def print_all(self, tail: int | None) -> int:
        out = _Out()
        was_any = _print(self._so_far(), tail, out)
        out.end()
        if not was_any:
            what = "no output" if self._wanted.is_all else "no matching output"
            say(f"{self._record.name} ({self._record.id}): {what} (job {self._record.state_word})")
        return 0

    def follow(self, tail: int | None) -> int:
        from fusionq.client.follow import Watcher, follow

        store, job_id, wanted = self._session.store, self._record.id, self._wanted
        out = _Out()

        class Printer(Watcher):
            def on_chunk(self, chunk: LogChunk) -> None:
                if wanted.takes(chunk):
                    out.write(chunk.text)

            def on_missed(self, record: JobRecord, start: int, end: int) -> None:
                if wanted.is_all:
                    for text in missed(store, record, start, end):
                        out.write(text)
                else:
                    say_missed(record, start, end)

            def on_record(self, record: JobRecord) -> None:
                if not record.is_finished and not record.started_at:
                    say(f"{record.name} ({record.id}) is {record.status}; Ctrl-C does not stop it")

            def on_outage(self, error: Exception) -> None:
                say(f"{error}; trying again")

        try:
            _print(self._so_far(), tail, out)
            record = follow(store, job_id, Printer(), log_after=self._cursor, once=self._once)
            out.end()
        except KeyboardInterrupt:
            say(f"\nthe job goes on; come back with: fusionq logs {job_id} -f")
            return EXIT_DETACHED
        say_end(record)
        return EXIT_CODES[record.outcome] if record.outcome else 0

    def _so_far(self) -> Iterator[str]:
        """All of it, also what the stream no longer holds."""
        store = self._session.store
        for chunk in self._once.of(store.streams.log(self._record.id)):
            if self._once.missed is not None and self._wanted.is_all:
                yield from missed(store, self._record, *self._once.missed)
            self._cursor = chunk.cursor
            if self._wanted.takes(chunk):
                yield chunk.text


def missed(store: Store, record: JobRecord, start: int, end: int) -> Iterator[str]:
    """What the stream does not hold, from the run folder; where this machine does not see it, says so."""
    from fusionq.client.missed_output import read_missed

    try:
        yield from read_missed(store, record, start, end)
    except OSError:
        say_missed(record, start, end)


def say_missed(record: JobRecord, start: int, end: int) -> None:
    from fusionq.client.missed_output import log_path

    which = f"{end - start:,} bytes" if start else f"the first {end:,} bytes"
    say(f"({which} are no longer in Redis; they are in {log_path(record)} on {record.host})")


class _Out:
    """Stdout; in a pipe with its bars folded, on a terminal without what would harm it."""

    def __init__(self) -> None:
        self._text = folder_for_stdout() or TerminalText()

    def write(self, text: str) -> None:
        sys.stdout.write(self._text.feed(text))
        sys.stdout.flush()

    def end(self) -> None:
        sys.stdout.write(self._text.end())
        sys.stdout.flush()


def _print(pieces: Iterator[str], tail: int | None, out: _Out) -> bool:
    """Whether there was anything to print."""
    if tail is not None:
        pieces = iter(_last_lines(pieces, tail))
    was_any = False
    for text in pieces:
        was_any = True
        out.write(text)
    return was_any


def _last_lines(pieces: Iterator[str], number: int) -> list[str]:
    lines: deque[str] = deque(maxlen=number + 1)  # the last of them may be going on
    rest = ""
    for text in pieces:
        *whole, rest = (rest + text).split("\n")
        lines.extend(line + "\n" for line in whole)
    if rest:
        lines.append(rest)
    return list(lines)[-number:] if number else []


# --- other processes of a job --------------------------------------------------------------------------


def _print_rank(session: Session, record: JobRecord, rank: int, tail: int | None, is_followed: bool) -> int:
    """Out of the run folder: only what rank 0 prints goes through Redis. Raises NotFoundError."""
    path = record.paths.rank_log(rank)
    if not path.is_file():
        raise NotFoundError(
            f"the output of rank {rank} of {record.id} is not visible from here", hint=f"it would be {path}"
        )
    out = _Out()
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        _print(iter([handle.read()]), tail, out)
        while is_followed:
            is_over = record.is_finished
            out.write(handle.read())
            if is_over:
                break
            time.sleep(POLL_S)
            record = session.store.jobs.get(record.id)
    out.end()
    return EXIT_CODES[record.outcome] if is_followed and record.outcome else 0
