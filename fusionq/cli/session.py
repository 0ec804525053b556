"""What the verbs of one call share: the options that all of them take, and the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import click

from fusionq.errors import FusionqError
from fusionq.spec.settings import Settings

if TYPE_CHECKING:
    from fusionq.queue.sender import Sender
    from fusionq.store.store import Store


class Session:
    """Opened lazily: `--help` needs neither settings nor Redis."""

    def __init__(self) -> None:
        self.debug = False
        self.redis_url: str | None = None

    @cached_property
    def settings(self) -> Settings:
        settings = Settings.load()
        return settings.with_redis_url(self.redis_url) if self.redis_url else settings

    @cached_property
    def store(self) -> Store:
        """The store; starts the embedded Redis where no other is named. Raises StoreUnavailableError."""
        from fusionq.store.store import Store

        store = Store.open(self.settings)
        store.check()
        return store

    @cached_property
    def sender(self) -> Sender:
        from fusionq.queue.celery_app import make_app
        from fusionq.queue.sender import Sender

        url = self.store.url
        return Sender(make_app(lambda: url), self.store)

    def ask_for_pass(self) -> None:
        """Something changed for the jobs that wait. Where nobody hears it, the workers' beat finds out."""
        with suppress(FusionqError):
            self.sender.ask_for_pass()

    def close(self) -> None:
        """Let go of every connection; what is used again connects again."""
        if "sender" in vars(self):
            self.sender.close()
        if "store" in vars(self):
            self.store.redis.connection_pool.disconnect()


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that stand before or behind every verb."""
    command = click.option(
        "--redis-url",
        metavar="URL",
        expose_value=False,
        callback=_keep,
        help="Another Redis than the usual one.",
    )(command)
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_keep, help="Show the traceback of an error."
    )(command)


def verb(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of every verb, and hands the session as its first argument."""

    @wraps(command)
    def call(*args: Any, **arguments: Any) -> Any:
        try:
            return command(*args, **arguments)
        except BrokenPipeError:  # whoever reads has enough; click would end with 1, as for a job that failed
            return 0

    return click.pass_obj(common_options(call))


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        setattr(ctx.obj, str(parameter.name), value)
