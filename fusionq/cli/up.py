from __future__ import annotations

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError


@click.command()
@verb
def up(session: Session) -> None:
    """Start the embedded Redis, unless it runs, and print its URL. Other commands do it by themselves.

    \b
    fusionq up
    """
    from fusionq.store.embedded import EmbeddedRedis

    if session.settings.redis_url:
        raise UsageError(
            "there is nothing to start: another Redis is named by --redis-url or FUSIONQ_REDIS_URL"
        )
    embedded = EmbeddedRedis(session.settings.home)
    click.echo(embedded.ensure_running())
    say(f"its data is in {embedded.folder}; stop it with: fusionq down")
