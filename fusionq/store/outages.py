"""Turns what Redis answers when it cannot serve into one line: what is wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
)

from fusionq.errors import StoreUnavailableError

ACL_RULES = "~fusionq:* &* +@all -@dangerous +info"

_OF_PIPELINE = re.compile(r"^Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)

_REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)
_NOT_THERE = (ConnectionRefusedError, FileNotFoundError)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OUTAGES = (ConnectionError, TimeoutError, ClusterError, AskError, InvalidResponse)


def is_outage(error: Exception) -> bool:
    """Returns whether Redis cannot serve us, and nothing is wrong with what we asked."""
    return isinstance(error, _OUTAGES) or any(is_so(error) for is_so in _BY_TEXT)


def unavailable(shown_url: str, error: Exception) -> StoreUnavailableError:
    """The outage in one line, with the next step."""
    outage = _outage(shown_url, error)
    outage.is_for_all = _is_for_all(shown_url, error)
    outage.is_lost = _is_lost(error)
    return outage


def _is_for_all(shown_url: str, error: Exception) -> bool:
    """True where nobody else gets more from this Redis than we do.

    A server elsewhere that is silent may answer others; one that refuses the connection is not there.
    """
    if isinstance(error, _REFUSALS):
        return False
    if _is_denied(error):
        return False
    is_down = isinstance(error, BusyLoadingError) or any(is_so(error) for is_so in _BY_TEXT)
    return is_down or _is_local(shown_url) or any(isinstance(link, _NOT_THERE) for link in _chain(error))


def _is_lost(error: Exception) -> bool:
    """Returns whether a request may have been served although no answer came."""
    is_told = isinstance(error, (*_REFUSALS, BusyLoadingError, InvalidResponse)) or any(
        is_so(error) for is_so in _BY_TEXT
    )
    is_cut = isinstance(error, (ConnectionError, TimeoutError)) and not is_told
    return is_cut and not any(isinstance(link, _NOT_THERE) for link in _chain(error))


def _is_local(shown_url: str) -> bool:
    url = urlsplit(shown_url)
    return url.scheme == "unix" or url.hostname in _LOOPBACK


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _outage(shown_url: str, error: Exception) -> StoreUnavailableError:
    if _is_denied(error):
        return StoreUnavailableError(
            f"Redis at {shown_url} does not let its user do that ({_OF_PIPELINE.sub('', _cause(error))})",
            hint=f"its ACL must hold {ACL_RULES}",
        )
    if isinstance(error, _REFUSALS):
        return StoreUnavailableError(
            f"Redis at {shown_url} refuses us: {error}", hint="check the user and the password in the URL"
        )
    if _is_full(error):
        return StoreUnavailableError(
            f"Redis at {shown_url} is full",
            hint="give it more memory (maxmemory), or remove ended jobs: fusionq clean --older-than 7d -y",
        )
    if _cannot_write(error):
        _, _, why = _cause(error).rpartition("AOF file: ")
        return StoreUnavailableError(
            f"Redis at {shown_url} cannot write to its disk ({why.partition('.')[0]})",
            hint="make room there; nothing that it has confirmed is lost",
        )
    if _is_busy(error):
        return StoreUnavailableError(
            f"Redis at {shown_url} is busy with a script that takes long", hint="try again in a moment"
        )
    if _is_replica(error):
        return StoreUnavailableError(
            f"{shown_url} is a replica, which cannot be written to", hint="name its master"
        )
    if isinstance(error, (ClusterError, AskError)):
        return StoreUnavailableError(
            f"{shown_url} is a node of a Redis Cluster, on which the queue cannot run",
            hint="name a single Redis server",
        )
    if isinstance(error, InvalidResponse):
        return StoreUnavailableError(
            f"what answers at {shown_url} is no Redis", hint="check the host and the port of the URL"
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


def _is_replica(error: Exception) -> bool:
    return isinstance(error, ReadOnlyError) or "-READONLY " in str(error)


def _is_denied(error: Exception) -> bool:
    return isinstance(error, NoPermissionError) or "The user executing the script can't" in str(error)


def _is_busy(error: Exception) -> bool:
    """A script has run for longer than Redis's limit (lua-time-limit); it answers nothing else meanwhile."""
    return _OF_PIPELINE.sub("", str(error)).startswith("BUSY ")


# What redis-py has no class for, or a script wraps in an error of its own.
_BY_TEXT = (_is_full, _cannot_write, _is_replica, _is_denied, _is_busy)


def _cause(error: Exception) -> str:
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = getattr(root, "strerror", None) or str(root) or type(root).__name__
    return text.rstrip(".").split("\n")[0]
