from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.queue.reasons import START_A_WORKER


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def workers(session: Session, as_json: bool) -> None:
    """Show the workers: where they are, what they have, what runs on them, and what their GPUs do.

    \b
    fusionq workers
    fusionq workers --json
    """
    found = session.store.workers.all()
    if as_json:
        from fusionq.cli.json_output import print_json
        from fusionq.client.json_views import view_of_worker

        print_json("workers", map(view_of_worker, found))
        return
    if not found:
        say(f"no worker; {START_A_WORKER}")
        return
    from fusionq.cli.worker_tables import print_gpus, print_workers

    for worker in found:
        if worker.quarantine:
            say(f"{worker.name} is in quarantine: {worker.quarantine}")
            say(f"end it: fusionq worker resume {worker.name}")
        if worker.problem:
            say(f"{worker.name} takes no jobs: {worker.problem}")
    print_workers(found, session.store.now())
    print_gpus(found)
