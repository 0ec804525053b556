"""Celery's Redis transport, changed where a worker would end for nothing."""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport.redis import Channel, Transport

log = logging.getLogger("fusionq.worker")

# What reading something raises that is no message of Celery's.
_UNREADABLE = (ValueError, KeyError, TypeError)


class TolerantChannel(Channel):
    """A channel that drops what is not a message, and tells Redis nothing more once it is closed.

    When Redis goes away, kombu puts unacknowledged messages back over a connection that is closed already,
    and acknowledges over it those that were taken meanwhile; the error of either ends the worker. We need
    none back, and one that is delivered again does no harm: the records say what is to be done.
    """

    do_restore = False

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if not self.closed:
            super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not self.closed:
            super().basic_reject(delivery_tag, requeue)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            _note_drop(error)
            raise Empty from error

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        try:
            return super()._deliver_fanout_message(message, exchange)
        except _UNREADABLE as error:
            _note_drop(error)
            raise Empty from error


def use_tolerant_channels() -> None:
    """Make the Redis transport of this process use them."""
    Transport.Channel = TolerantChannel


def _note_drop(error: Exception) -> None:
    log.warning("dropped a message that is none of Celery's: %s: %s", type(error).__name__, error)
