from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.queue.reasons import START_A_WORKER
from fusionq.spec.units import format_duration


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def workers(session: Session, as_json: bool) -> None:
    """Show the workers: where they are, what they have, and what runs on them."""
    found = session.store.workers.all()
    if as_json:
        click.echo(json.dumps([asdict(worker) for worker in found], indent=2))
        return
    if not found:
        say(f"no worker; {START_A_WORKER}")
        return
    from fusionq.cli.tables import print_table

    rows = []
    for worker in found:
        gpus = ", ".join(gpu["name"] for gpu in worker.gpus) or "CPU"
        state = worker.state_word if worker.is_alive else f"[red]{worker.state_word}[/]"
        seen = format_duration(max(0.0, time.time() - worker.seen_at))
        slots = f"{len(worker.jobs)}/{worker.slots}"
        rows.append(
            [
                worker.name,
                worker.host,
                state,
                slots,
                gpus,
                ",".join(worker.queues),
                " ".join(worker.jobs),
                seen,
            ]
        )
    for worker in found:
        if worker.quarantine:
            say(f"{worker.name} is in quarantine: {worker.quarantine}")
            say(f"end it: fusionq worker resume {worker.name}")
    print_table(["NAME", "HOST", "STATE", "SLOTS", "DEVICES", "QUEUES", "JOBS", "SEEN"], rows)
