from __future__ import annotations

from pathlib import Path

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.selecting import named_jobs
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import NotFoundError
from fusionq.spec.run_files import PARTS


@click.command()
@click.argument("job", shell_complete=complete_job)
@click.option("--best", is_flag=True, help="Its best model.")
@click.option("--logs", is_flag=True, help="What it printed.")
@click.option("--metrics", is_flag=True, help="What it measured, and its plots.")
@click.option("--checkpoints", is_flag=True, help="Its checkpoints, to resume from.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write into this folder; default: the id of the job.",
)
@verb
def download(session: Session, job: str, output: Path | None, **chosen: bool) -> None:
    """Fetch the files of JOB from wherever they lie, and print where they are now.

    Without an option, all but its checkpoints; of a sweep those of every trial. Where the run folder is not
    visible from here, a worker sends them through Redis.

    \b
    fusionq download last
    fusionq download last --best --logs -o results
    """
    from fusionq.client import download as client

    found = session.store.jobs.find(job)
    records = session.store.jobs.get_many(named_jobs(session, [found]))
    folder = output or Path(found)
    parts = [part for part in PARTS if chosen[part]]
    files = []
    for record in records:
        own = folder if len(records) == 1 else folder / record.id
        try:
            files += client.download(session.store, session.sender, record, own, parts)
        except NotFoundError as error:
            if len(records) == 1:
                raise
            say(str(error))  # of a trial; the others have files
    for file in files:
        click.echo(file)
    say(f"{len(files)} {'file' if len(files) == 1 else 'files'} in {folder}")
