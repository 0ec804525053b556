from __future__ import annotations

import os
import sys

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.selecting import named_jobs
from fusionq.cli.session import Session, verb
from fusionq.errors import NotFoundError
from fusionq.spec.record import JobRecord


@click.command(name="open")
@click.argument("job", shell_complete=complete_job)
@verb
def open_(session: Session, job: str) -> None:
    """Print the run folder of JOB, and show it where there is a desktop; of a sweep those of its trials.

    \b
    fusionq open last
    cd "$(fusionq open last)"
    """
    records = session.store.jobs.get_many(named_jobs(session, [job]))
    if len(records) == 1:
        _check(records[0])
    folders = [record.run_dir for record in records if record.run_dir]
    for folder in folders:
        click.echo(folder)
    if len(folders) == 1 and sys.stdout.isatty() and _has_desktop():
        click.launch(folders[0])


def _check(record: JobRecord) -> None:
    """Raises NotFoundError where it has no run folder, or none that this machine sees."""
    if not record.paths.root.is_dir():
        raise NotFoundError(
            f"its run folder is {record.run_dir} on {record.host}, which is not visible from here",
            hint=f"fetch its files: fusionq download {record.id}",
        )


def _has_desktop() -> bool:
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
