from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.session import Session, verb
from fusionq.errors import NotFoundError


@click.command(name="open")
@click.argument("job", shell_complete=complete_job)
@verb
def open_(session: Session, job: str) -> None:
    """Print the run folder of JOB, and show it where there is a desktop to show it on.

    \b
    fusionq open last
    cd "$(fusionq open last)"
    """
    record = session.store.jobs.get(session.store.jobs.find_job(job))
    if not record.run_dir:
        raise NotFoundError(f"{record.id} has not started yet, so it has no run folder")
    if not Path(record.run_dir).is_dir():
        raise NotFoundError(
            f"its run folder is {record.run_dir} on {record.host}, which is not to be seen from here",
            hint=f"fetch its files: fusionq download {record.id}",
        )
    click.echo(record.run_dir)
    if sys.stdout.isatty() and _has_desktop():
        click.launch(record.run_dir)


def _has_desktop() -> bool:
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
