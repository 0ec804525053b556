"""A Redis URL, read once for all who connect: the store, Celery's broker and Celery's results."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike, fsencode
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from fusionq.errors import UsageError
from fusionq.spec.near import did_you_mean

PLAIN, TLS, SOCKET = "redis", "rediss", "unix"
SCHEMES = (PLAIN, TLS, SOCKET)
DEFAULT_HOST = "localhost"
SHORTEST_REPLY_TIMEOUT_S = 3.0  # a read may wait two seconds for something to happen

# By pattern, not by urlsplit: what is shown is often a URL that cannot be split.
_PASSWORD = re.compile(r"\A([^:/@]*://[^:/@]*:).*@")
_SECRETS_IN_QUERY = re.compile(r"([?&](?:ssl_)?password=)[^&]*")


@dataclass(frozen=True)
class RedisUrl:
    """The parts of a Redis URL; `tls` holds redis-py's own names for the options of a TLS connection."""

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""  # of a unix socket
    db: int = 0
    username: str = ""
    password: str | None = None
    client_name: str = ""
    reply_timeout_s: float | None = None
    connect_timeout_s: float | None = None
    tls: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> RedisUrl:
        """Reads a URL as redis-py writes it. Raises UsageError, which names the part that is wrong."""
        parts = _split(text)
        given: dict[str, Any] = {}
        for name, value in reversed(parse_qsl(parts.query)):  # of two, the first counts
            if name not in _OPTIONS:  # its value is not shown: it may be a password
                what = f"{name} is no option of it{did_you_mean(name, _OPTIONS)}"
                raise _wrong(text.partition("?")[0], what)
            given[name] = _read(text, name, value)
        tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
        if tls and parts.scheme != TLS:
            raise _wrong(text, f"{min(tls)} needs rediss://")
        return cls(
            scheme=parts.scheme,
            host=unquote(parts.hostname or ""),
            port=parts.port,
            path=unquote(parts.path, errors="surrogateescape") if parts.scheme == SOCKET else "",
            db=given.get("db", 0) if parts.scheme == SOCKET or "db" in given else _db_of_path(text, parts),
            username=unquote(parts.username or "") or given.get("username", ""),
            password=unquote(parts.password) if parts.password else given.get("password"),
            client_name=given.get("client_name", ""),
            reply_timeout_s=given.get("socket_timeout"),
            connect_timeout_s=given.get("socket_connect_timeout"),
            tls=tls,
        )

    @property
    def address(self) -> str:
        """`user:password@host:port` of the server, quoted for a URL."""
        login = ""
        if self.username or self.password:
            password = "" if self.password is None else ":" + quote(self.password, safe="")
            login = f"{quote(self.username, safe='')}{password}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return login + host + (f":{self.port}" if self.port else "")


def without_password(url: str) -> str:
    """Returns the URL as it may be shown and logged."""
    return _SECRETS_IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))


def socket_url(path: str | PathLike[str]) -> str:
    """Returns the URL of a unix socket."""
    return f"{SOCKET}://{quote(fsencode(path))}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        if parts.scheme in SCHEMES and parts.port != 0 and (parts.scheme != SOCKET or parts.path):
            _refuse_cut(text, parts)
            return parts
    except ValueError:  # not a URL at all, or a port that is no number
        pass
    raise UsageError(
        f"{without_password(text)!r} is not a Redis URL",
        hint="write redis://host:6379/0, rediss://… or unix:///path",
    )


def _refuse_cut(text: str, parts: SplitResult) -> None:
    """Raises UsageError where a sign in a password or a path ended it: another Redis would be meant."""
    has_login_behind = parts.scheme != SOCKET and "@" in parts.path
    has_rest = any("=" not in option for option in parts.query.split("&") if option)
    if "#" in text or has_login_behind or has_rest:
        raise UsageError(
            f"{without_password(text)!r} is not a Redis URL",
            hint="in a password or a path, / is written as %2F, # as %23 and ? as %3F",
        )


def _db_of_path(text: str, parts: SplitResult) -> int:
    path = unquote(parts.path).strip("/")
    return _read(text, "db", path) if path else 0


def _read(text: str, name: str, value: str) -> Any:
    try:
        return _OPTIONS[name](value)
    except ValueError as error:
        raise _wrong(text, f"{name}={value}: {error}") from None


def _wrong(text: str, what: str) -> UsageError:
    return UsageError(f"the Redis URL {without_password(text)!r}: {what}")


def _database(value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise ValueError("a database is a number from 0 on")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError("it is a number of seconds") from None
    if not 0 < seconds < float("inf"):
        raise ValueError("it is a number of seconds above 0")
    return seconds


def _reply_timeout(value: str) -> float:
    seconds = _seconds(value)
    if seconds < SHORTEST_REPLY_TIMEOUT_S:
        raise ValueError(f"fusionq waits up to 2 s for news; say {SHORTEST_REPLY_TIMEOUT_S:g} or more")
    return seconds


def _yes_or_no(value: str) -> bool:
    return value.upper() not in ("0", "F", "FALSE", "N", "NO")


def _certificate_rule(value: str) -> str:
    rule = value.lower().removeprefix("cert_")
    if rule not in ("none", "optional", "required"):
        raise ValueError("it is none, optional or required")
    return rule


def _ignored(value: str) -> None:
    """What redis-py takes and fusionq decides itself."""


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "db": _database,
    "username": str,
    "password": str,
    "client_name": str,
    "socket_timeout": _reply_timeout,
    "socket_connect_timeout": _seconds,
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_password": str,
    "ssl_cert_reqs": _certificate_rule,
    "ssl_check_hostname": _yes_or_no,
    "ssl_min_version": int,
    "ssl_ciphers": str,
    **dict.fromkeys(
        (
            "socket_keepalive",
            "socket_read_size",
            "retry_on_timeout",
            "retry_on_error",
            "max_connections",
            "health_check_interval",
            "timeout",
            "protocol",
            "legacy_responses",
            "decode_responses",
            "encoding",
        ),
        _ignored,
    ),
}
