from __future__ import annotations

from pathlib import Path

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY.PATH=VALUE]...")
@verb
def submit(session: Session, file: Path, overrides: tuple[str, ...]) -> None:
    """Check a job FILE, put the job into the queue, and print its id.

    \b
    fusionq submit jobs/mnist.yaml
    fusionq submit jobs/mnist.yaml optimizer.lr=1e-2 train.epochs=5
    """
    from fusionq.queue.freezing import freeze
    from fusionq.queue.planner import START_A_WORKER
    from fusionq.queue.submitting import submit as put
    from fusionq.spec.load import load_job

    spec = load_job(file, overrides)
    frozen = freeze(session.store, session.settings, spec, Path.cwd())
    job_id = put(session.store, session.sender, spec, Path.cwd(), frozen)
    click.echo(job_id)
    for note in frozen.notes:
        say(note)
    say(f"{spec.name} is in the queue {spec.queue!r}")
    say(f"  follow it   fusionq logs {job_id} -f")
    say(f"  look at it  fusionq status {job_id}")
    say(f"  stop it     fusionq cancel {job_id}")
    if not any(spec.queue in worker.queues for worker in session.store.workers.alive()):
        queues = "" if spec.queue == "default" else f" --queues {spec.queue}"
        say(f"no worker that serves this queue is alive; {START_A_WORKER}{queues}")
