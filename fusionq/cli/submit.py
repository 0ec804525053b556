from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import complete_override
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say, when
from fusionq.errors import SpecError, UsageError
from fusionq.spec.times import check_time, parse_time
from fusionq.spec.units import parse_duration

if TYPE_CHECKING:
    from fusionq.cli.deep import Deep
    from fusionq.queue.submission import Submitted
    from fusionq.spec.load import Loaded

SHOWN_TRIALS = 10


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY.PATH=VALUE]...", shell_complete=complete_override)
@click.option("--dry-run", is_flag=True, help="Print what would be queued, and queue nothing.")
@click.option("--deep", "is_deep", is_flag=True, help="Wait for the deep check, however long it takes.")
@click.option("--at", "not_before", metavar="TIME", help="Start no earlier: 22:00 or 2026-12-01 22:00.")
@click.option("--in", "delay", metavar="DURATION", help="Start no earlier than so much later, such as 2h.")
@click.option("--unique", is_flag=True, help="Where the same job is queued or runs, take that one.")
@verb
def submit(
    session: Session,
    file: Path,
    overrides: tuple[str, ...],
    dry_run: bool,
    is_deep: bool,
    not_before: str | None,
    delay: str | None,
    unique: bool,
) -> None:
    """Check a job FILE, put its jobs into the queue, and print their ids.

    Several values for one key make a sweep: one row, one id, a job for every combination. --at, --in and
    --unique say what the keys `not_before` and `unique` say.

    \b
    fusionq submit jobs/mnist.yaml
    fusionq submit jobs/mnist.yaml optimizer.lr=1e-2 train.epochs=5
    fusionq submit jobs/digits.yaml optimizer.lr=1e-2,1e-3 train.seed=1,2
    fusionq submit jobs/mnist.yaml --at 22:00
    """
    from fusionq.queue.submission import submit_all
    from fusionq.queue.work_folder import work_folder
    from fusionq.spec.load import load_file

    loaded = load_file(file, [*overrides, *_as_overrides(not_before, delay, unique)])
    if dry_run:
        _print_all(session, loaded, is_deep)
        return
    quick = QuickCheck(session, loaded, is_deep)
    store = session.store  # meanwhile
    quick.end()
    for submitted in submit_all(store, session.sender, session.settings, loaded, work_folder()):
        click.echo(submitted.id)
        _say_what_is_next(session, submitted)


def _as_overrides(not_before: str | None, delay: str | None, unique: bool) -> list[str]:
    """The keys that the options stand for. Raises UsageError where they are no times."""
    if not_before is not None and delay is not None:
        raise UsageError("--at and --in both say when; give one of them")
    if delay is not None:
        try:
            parse_duration(delay)
        except ValueError as error:
            raise UsageError(f"--in: {error}") from None
    if not_before is not None:
        try:
            check_time(not_before)
        except ValueError as error:
            raise UsageError(f"--at: {error}") from None
    when = f"+{delay}" if delay is not None else not_before
    return [*([f"not_before={when!r}"] if when else []), *(["unique=true"] if unique else [])]


class QuickCheck:
    """The deep check, where torch is here and quick to load, or where the person wants to wait for it.

    It begins at once; what else there is to do goes on beside it.
    """

    def __init__(self, session: Session, loaded: list[Loaded], is_deep: bool = False) -> None:
        from fusionq.queue.deep_pace import Pace

        self._began = time.monotonic()
        self._session = session
        self._loaded = loaded
        self._is_deep = is_deep
        self._pace = Pace(session.settings.home)
        self._check = self._begin()

    def _begin(self) -> Deep | None:
        from fusionq.queue.deep_check import is_possible

        if self._is_deep or not (is_possible() and self._pace.may_be_quick()):
            return None
        from fusionq.cli.deep import FEW_TRIALS, Deep

        return Deep(self._loaded, self._session.settings, FEW_TRIALS)

    def end(self) -> None:
        """Raises SpecError with what was found, as far as it was found in time."""
        from fusionq.queue.deep_pace import QUICK_S

        if self._is_deep:
            from fusionq.cli.deep import look_deeply

            looked = look_deeply(self._loaded, self._session.settings)
        elif self._check is not None:
            looked = self._check.result(max(0.0, self._began + QUICK_S - time.monotonic()))
            self._pace.note(is_quick=looked is not None)
        else:
            return
        problems = [problem for one in looked or () for problem in one.problems]
        if problems:
            raise SpecError(problems)


def _say_what_is_next(session: Session, submitted: Submitted) -> None:
    from fusionq.queue.reasons import START_A_WORKER

    spec, job_id = submitted.spec, submitted.id
    for note in submitted.notes:
        say(f"  {note}")
    if submitted.is_twin:
        say(f"{spec.name} is there already: nothing new was queued")
        say(f"  look at it  fusionq status {job_id}")
        return
    if trials := submitted.loaded.trials:
        say(f"{spec.name} is a sweep of {len(trials)} trials in the queue {spec.queue!r}")
        say(f"  look at it  fusionq status {job_id}")
        say(f"  compare     fusionq compare {job_id}")
    else:
        say(f"{spec.name} is in the queue {spec.queue!r}")
        say(f"  follow it   fusionq logs {job_id} -f")
        say(f"  look at it  fusionq status {job_id}")
    say(f"  stop it     fusionq cancel {job_id}")
    if spec.not_before:
        moment = parse_time(spec.not_before, datetime.now(UTC)).timestamp()
        say(f"it starts at the earliest {when(moment)}")
    if not any(spec.queue in worker.queues for worker in session.store.workers.alive()):
        queues = "" if spec.queue == "default" else f" --queues {spec.queue}"
        say(f"no worker that serves this queue is alive; {START_A_WORKER}{queues}")


# --- what would be ---------------------------------------------------------------------------------


def _print_all(session: Session, loaded: list[Loaded], is_deep: bool) -> None:
    """The resolved jobs on stdout, as a file that could be submitted; what would become of them beside it."""
    from fusionq.queue.freezing import describe_code
    from fusionq.queue.work_folder import work_folder
    from fusionq.spec.secrets import mask_spec
    from fusionq.spec.writer import to_yaml

    QuickCheck(session, loaded, is_deep).end()
    for i, one in enumerate(loaded):
        if i:
            click.echo("---")
        click.echo(to_yaml(mask_spec(one.spec.to_data())), nl=False)
        _say_what_would_be(one, describe_code(session.settings, one.jobs, work_folder()))
    say("nothing was queued")


def _say_what_would_be(one: Loaded, code: list[str]) -> None:
    from fusionq.spec.after import jobs_of

    spec = one.spec
    what = f"a sweep of {len(one.trials)} trials" if one.trials else "a job"
    say(f"{spec.name}: {what} for the queue {spec.queue!r}, priority {spec.priority}")
    if spec.after:
        say(f"  after       {', '.join(jobs_of(spec.after))}")
    if spec.not_before:
        say(f"  starts      no earlier than {spec.not_before}")
    for line in code:
        say(f"  code        {line}")
    for trial in one.trials[:SHOWN_TRIALS]:
        say(f"  {trial}")
    if len(one.trials) > SHOWN_TRIALS:
        say(f"  … and {len(one.trials) - SHOWN_TRIALS} more")
