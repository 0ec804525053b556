from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import StateError


@click.command()
@click.option("--force", is_flag=True, help="Stop it although workers use it.")
@verb
def down(session: Session, force: bool) -> None:
    """Stop the embedded Redis. Jobs, logs and metrics stay on disk.

    \b
    fusionq down
    """
    from fusionq.store.embedded import EmbeddedRedis
    from fusionq.store.store import Store

    embedded = EmbeddedRedis(session.settings.home)
    if not embedded.is_running():
        say("the embedded Redis does not run")
        return
    from dataclasses import replace

    with_embedded = replace(session.settings, redis_url=None)
    alive = [worker.name for worker in Store.open(with_embedded).workers.alive()]
    if alive and not force:
        raise StateError(f"workers use it: {', '.join(alive)}", hint="stop them first, or say --force")
    embedded.stop()
    say("stopped")
