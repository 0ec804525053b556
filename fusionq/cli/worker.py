from __future__ import annotations

import importlib.util
import os
import sys

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import WorkerError

MODULE = "workers"


@click.command()
@click.option("--name", help="What this worker is called; default: the name of this machine.")
@click.option("--slots", type=click.IntRange(1, 1000), help="Jobs at once; default: one per GPU, or one.")
@click.option("--gpus", metavar="all|none|0,2", help="Which GPUs to use; default: all.")
@click.option("--queues", metavar="A,B", help="Which queues to serve; default: default.")
@click.option("--exit-when-idle", is_flag=True, help="Leave when nothing is left to do.")
@verb
def worker(
    session: Session,
    name: str | None,
    slots: int | None,
    gpus: str | None,
    queues: str | None,
    exit_when_idle: bool,
) -> None:
    """Run jobs on this machine until Ctrl-C, which lets running jobs save their state and queue again."""
    environ = worker_environ(
        session, name=name, slots=slots, gpus=gpus, queues=queues, exit_when_idle=exit_when_idle
    )
    say(f"starting a worker on {session.store.redis.shown_url}; it warms up first")
    session.close()
    os.execve(sys.executable, [sys.executable, "-m", MODULE], environ)


def worker_environ(session: Session, **options: str | int | bool | None) -> dict[str, str]:
    """The environment that sets a worker up (see `workers.options`). Raises WorkerError without torch."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec(MODULE) is None:
        raise WorkerError(
            "a worker needs torch, which is not installed here", hint="pip install 'fusionq[worker]'"
        )
    chosen = {
        f"FUSIONQ_WORKER_{key.upper()}": "1" if value is True else str(value)
        for key, value in options.items()
        if value
    }
    return {**os.environ, **session.settings.to_environ(), **chosen}
