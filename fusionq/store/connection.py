"""One Redis client for all of the store: explicit time limits, and errors in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from fusionq.errors import StoreUnavailableError
from fusionq.spec.settings import without_password
from fusionq.store.private_socket import OwnSocketConnection

CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 5.0
LONGEST_BLOCK_S = 2.0  # a blocking read must end well before the reply is overdue

_REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)
_NOT_THERE = (ConnectionRefusedError, FileNotFoundError)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OUTAGES = (ConnectionError, TimeoutError, OutOfMemoryError, ReadOnlyError, NoPermissionError)


class Client(redis.Redis):
    """A Redis client whose outages are StoreUnavailableError."""

    shown_url = ""

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
        if isinstance(error, _OUTAGES) or _is_full(error) or _cannot_write(error):
            raise unavailable(shown_url, error) from error
        raise


def connect(url: str, *, reply_timeout_s: float = REPLY_TIMEOUT_S, own_socket: bool = False) -> Client:
    """A client for `url` (redis://, rediss:// or unix://). Connects on first use.

    own_socket: only this user's own processes may answer at it, which each connection checks.
    """
    client = Client.from_url(
        url,
        decode_responses=True,
        # A text that is not UTF-8, such as the name of a file in an error, must not end who stores it.
        encoding_errors="backslashreplace",
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=reply_timeout_s,
        health_check_interval=30,
    )
    if own_socket:
        client.connection_pool.connection_class = OwnSocketConnection
    client.shown_url = without_password(url)
    return client


def unavailable(shown_url: str, error: Exception) -> StoreUnavailableError:
    """The outage in one line, with the next step."""
    outage = _outage(shown_url, error)
    outage.is_for_all = _is_for_all(shown_url, error)
    return outage


def _is_for_all(shown_url: str, error: Exception) -> bool:
    """True where nobody else gets more from this Redis than we do.

    A server elsewhere that is silent may answer others; one that refuses the connection is not there.
    """
    if isinstance(error, _REFUSALS):
        return False
    is_down = isinstance(error, (ReadOnlyError, BusyLoadingError)) or _is_full(error) or _cannot_write(error)
    return is_down or _is_local(shown_url) or any(isinstance(link, _NOT_THERE) for link in _chain(error))


def _is_local(shown_url: str) -> bool:
    url = urlsplit(shown_url)
    return url.scheme == "unix" or url.hostname in _LOOPBACK


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _outage(shown_url: str, error: Exception) -> StoreUnavailableError:
    if isinstance(error, _REFUSALS):
        return StoreUnavailableError(
            f"Redis at {shown_url} refuses us: {error}", hint="check the user and the password in the URL"
        )
    if _is_full(error):
        return StoreUnavailableError(
            f"Redis at {shown_url} is full", hint="give it more memory, or remove old jobs"
        )
    if _cannot_write(error):
        _, _, why = _cause(error).rpartition("AOF file: ")
        return StoreUnavailableError(
            f"Redis at {shown_url} cannot write to its disk ({why.partition('.')[0]})",
            hint="make room there; nothing that it has confirmed is lost",
        )
    return StoreUnavailableError(
        f"no connection to Redis at {shown_url} ({_cause(error)})",
        hint="start that server, or name another with --redis-url or FUSIONQ_REDIS_URL",
    )


def _cannot_write(error: Exception) -> bool:
    """It takes nothing more until it can write its files again."""
    return "MISCONF " in str(error)


def _is_full(error: Exception) -> bool:
    # Redis before 7 wraps what a script runs into in an error of its own.
    return isinstance(error, OutOfMemoryError) or "-OOM command not allowed" in str(error)


def _cause(error: Exception) -> str:
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = getattr(root, "strerror", None) or str(root) or type(root).__name__
    return text.rstrip(".").split("\n")[0]
