"""One Redis client for all of the store: explicit time limits, and errors in our own words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.client import Pipeline
from redis.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import RedisError

from fusionq.spec.redis_url import DEFAULT_HOST, PLAIN, SOCKET, TLS, RedisUrl, without_password
from fusionq.store.outages import is_outage, unavailable
from fusionq.store.private_socket import OwnSocketConnection

CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 5.0
HEALTH_CHECK_S = 30
LONGEST_BLOCK_S = 2.0  # a blocking read must end well before the reply is overdue

_CONNECTIONS: dict[str, type[AbstractConnection]] = {
    PLAIN: Connection,
    TLS: SSLConnection,
    SOCKET: UnixDomainSocketConnection,
}


class _Pool(ConnectionPool):
    """Connections that are not tried with PING when new: a Redis that cannot write to its disk refuses it."""

    def make_connection(self) -> Any:
        connection = super().make_connection()
        connection.next_health_check = time.monotonic() + HEALTH_CHECK_S
        return connection


class Client(redis.Redis):
    """A Redis client whose outages are StoreUnavailableError."""

    shown_url = ""
    reply_timeout_s = REPLY_TIMEOUT_S

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with _in_our_words(self.shown_url):
            return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> _Pipeline:
        pipe = _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.shown_url = self.shown_url
        return pipe


class _Pipeline(Pipeline):
    shown_url = ""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _in_our_words(self.shown_url):
            return super().execute(raise_on_error)


@contextmanager
def _in_our_words(shown_url: str) -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        if is_outage(error):
            raise unavailable(shown_url, error) from error
        raise


def connect(url: str, *, reply_timeout_s: float = REPLY_TIMEOUT_S, own_socket: bool = False) -> Client:
    """A client for `url` (redis://, rediss:// or unix://). Connects on first use.

    own_socket: only this user's own processes may answer at it, which each connection checks.
    """
    parts = RedisUrl.parse(url)
    pool = _Pool(
        connection_class=OwnSocketConnection if own_socket else _CONNECTIONS[parts.scheme],
        decode_responses=True,
        # A text that is not UTF-8, such as the name of a file in an error, must not end who stores it.
        encoding_errors="backslashreplace",
        socket_connect_timeout=parts.connect_timeout_s or CONNECT_TIMEOUT_S,
        socket_timeout=parts.reply_timeout_s or reply_timeout_s,
        health_check_interval=HEALTH_CHECK_S,
        db=parts.db,
        username=parts.username or None,
        password=parts.password,
        client_name=parts.client_name or None,
        **_place(parts),
        **parts.tls,
    )
    client = Client.from_pool(pool)
    client.reply_timeout_s = parts.reply_timeout_s or reply_timeout_s
    client.shown_url = without_password(url)
    return client


def _place(parts: RedisUrl) -> dict[str, Any]:
    if parts.scheme == SOCKET:
        return {"path": parts.path}
    return {"host": parts.host or DEFAULT_HOST, **({"port": parts.port} if parts.port else {})}
