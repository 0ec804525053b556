"""The options with which `submit` and `run` change a job: each stands for overrides of its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fusionq.cli.completing import complete_job, complete_override, complete_queue
from fusionq.errors import UsageError
from fusionq.spec.record import MOST_PRIORITY
from fusionq.spec.times import check_time
from fusionq.spec.units import parse_duration

if TYPE_CHECKING:
    from fusionq.spec.load import Loaded

_OPTIONS = (
    click.option("--name", metavar="NAME", help="Name of the job."),
    click.option(
        "--priority", metavar="N", help=f"From {-MOST_PRIORITY} to {MOST_PRIORITY}; higher starts first."
    ),
    click.option("--queue", metavar="QUEUE", shell_complete=complete_queue, help="Queue to wait in."),
    click.option("--gpus", metavar="N", help="Number of GPUs, or auto."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="Add a tag; may be repeated."),
    click.option(
        "--after",
        metavar="JOB",
        multiple=True,
        shell_complete=complete_job,
        help="Start once this job has succeeded; may be repeated.",
    ),
    click.option("--at", metavar="TIME", help="Do not start before this time: 22:00 or 2026-12-01 22:00."),
    click.option(
        "--in", "delay", metavar="DURATION", help="Do not start before this much time has passed, such as 2h."
    ),
    click.option("--hold", is_flag=True, help="Keep it from running until `fusionq release`."),
    click.option("--unique", is_flag=True, help="Reuse an identical job that is already queued or running."),
)
_NAMES = ("name", "priority", "queue", "gpus", "tags", "after", "at", "delay", "hold", "unique")


@dataclass(frozen=True)
class Submission:
    """A job file, and how it is changed on the command line."""

    file: Path
    overrides: tuple[str, ...]

    def load(self) -> list[Loaded]:
        """Reads and checks the jobs. Raises SpecError."""
        from fusionq.queue.work_folder import work_folder
        from fusionq.spec.load import load_file

        return load_file(self.file, self.overrides, workdir=work_folder())


def submission_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds FILE, overrides and options to a verb, which gets them as its argument `submission`."""

    @wraps(command)
    def collect(*args: Any, file: Path, overrides: tuple[str, ...], **arguments: Any) -> Any:
        options = {name: arguments.pop(name) for name in _NAMES}
        changes = (*overrides, *_overrides(**options))
        return command(*args, submission=Submission(file, changes), **arguments)

    added: Callable[..., Any] = collect
    for option in reversed(_OPTIONS):
        added = option(added)
    added = click.argument(
        "overrides", nargs=-1, metavar="[KEY.PATH=VALUE]...", shell_complete=complete_override
    )(added)
    return click.argument("file", type=click.Path(path_type=Path))(added)


def _overrides(
    *,
    name: str | None,
    priority: str | None,
    queue: str | None,
    gpus: str | None,
    tags: tuple[str, ...],
    after: tuple[str, ...],
    at: str | None,
    delay: str | None,
    hold: bool,
    unique: bool,
) -> Iterator[str]:
    """Yields what the options stand for. Raises UsageError where they are no times."""
    from fusionq.spec.overrides import OptionOverride, override_text

    for option, key, value in (
        ("--name", "name", name),
        ("--queue", "queue", queue),
        ("--tag", "tags+", tags or None),
        ("--after", "after", after or None),
    ):
        if value is not None:
            yield OptionOverride(override_text(key, value), shown=option)
    for option, key, text in (("--priority", "priority", priority), ("--gpus", "resources.gpus", gpus)):
        if text is not None:
            yield OptionOverride(f"{key}={text}", shown=option)
    if start := _start(at, delay):
        yield OptionOverride(f"not_before={start!r}", shown="--in" if delay else "--at")
    if hold:
        yield OptionOverride("hold=true", shown="--hold")
    if unique:
        yield OptionOverride("unique=true", shown="--unique")


def _start(at: str | None, delay: str | None) -> str | None:
    if at is not None and delay is not None:
        raise UsageError("--at and --in both say when; give one of them")
    try:
        if delay is not None:
            parse_duration(delay)
            return f"+{delay}"
        return at if at is None else check_time(at)
    except ValueError as error:
        raise UsageError(f"{'--in' if delay is not None else '--at'}: {error}") from None
