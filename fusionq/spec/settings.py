"""Where fusionq keeps its things and which Redis it talks to.

Order: command line, environment, `$FUSIONQ_HOME/config.toml`, default. The environment variables are
spelled here and nowhere else.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from fusionq.errors import UsageError
from fusionq.spec.private import PRIVATE
from fusionq.spec.redis_url import RedisUrl
from fusionq.spec.units import parse_duration

ENV_HOME = "FUSIONQ_HOME"
ENV_REDIS_URL = "FUSIONQ_REDIS_URL"
ENV_REDIS_PASSWORD_FILE = "FUSIONQ_REDIS_PASSWORD_FILE"
ENV_RUNS = "FUSIONQ_RUNS"
ENV_DATA = "FUSIONQ_DATA"
ENV_LEASE = "FUSIONQ_LEASE"
ENV_RETENTION = "FUSIONQ_RETENTION"
ENV_KEEP_JOBS = "FUSIONQ_KEEP_JOBS"
ENV_UMASK = "FUSIONQ_UMASK"

CONFIG_FILE = "config.toml"
CONFIG_KEYS = ("redis_url", "runs", "data", "lease", "retention", "keep_jobs", "umask")
DEFAULT_LEASE_S = 15.0
DEFAULT_RETENTION_S = 30 * 86_400.0
DEFAULT_KEEP_JOBS = 100_000
FOREVER = "forever"

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What holds for this process. `redis_url` is None where the embedded Redis is to be used."""

    home: Path
    runs: Path
    redis_url: str | None = None
    data: Path | None = None
    lease_s: float = DEFAULT_LEASE_S
    retention_s: float | None = DEFAULT_RETENTION_S  # how long finished jobs stay; None: for ever
    keep_jobs: int = DEFAULT_KEEP_JOBS  # beyond so many, the oldest finished ones go sooner
    umask: int = PRIVATE  # whom run folders, stored code and logs are kept from

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment and the config file. Raises UsageError."""
        home = Path(environ.get(ENV_HOME) or _default_home()).expanduser().absolute()
        config = _read_config(home / CONFIG_FILE)
        runs = environ.get(ENV_RUNS) or config.get("runs") or home / "runs"
        data = environ.get(ENV_DATA) or config.get("data")

        def read(variable: str, key: str, parse: Callable[[str, str], T], default: T) -> T:
            """Returns a setting from where it stands, which `parse` names where it is wrong."""
            if environ.get(variable):
                return parse(variable, environ[variable])
            return parse(f"{home / CONFIG_FILE}: {key}", config[key]) if config.get(key) else default

        settings = cls(
            home=home,
            runs=Path(runs).expanduser().absolute(),
            data=Path(data).expanduser().absolute() if data else None,
            lease_s=read(ENV_LEASE, "lease", _lease, DEFAULT_LEASE_S),
            retention_s=read(ENV_RETENTION, "retention", _retention, DEFAULT_RETENTION_S),
            keep_jobs=read(ENV_KEEP_JOBS, "keep_jobs", _keep_jobs, DEFAULT_KEEP_JOBS),
            umask=read(ENV_UMASK, "umask", _umask, PRIVATE),
        )
        url = environ.get(ENV_REDIS_URL) or config.get("redis_url")
        return settings.with_redis_url(url, environ) if url else settings

    def with_redis_url(self, url: str, environ: Mapping[str, str] = os.environ) -> Settings:
        """These settings with another Redis. Raises UsageError where `url` is none."""
        password_file = environ.get(ENV_REDIS_PASSWORD_FILE)
        if RedisUrl.parse(url).password is None and password_file:
            url = _with_password(url, password_file)
        return replace(self, redis_url=url)

    def to_environ(self) -> dict[str, str]:
        """The variables that hand these settings to a child process."""
        environ = {
            ENV_HOME: str(self.home),
            ENV_RUNS: str(self.runs),
            ENV_LEASE: str(self.lease_s),
            ENV_RETENTION: FOREVER if self.retention_s is None else str(self.retention_s),
            ENV_KEEP_JOBS: str(self.keep_jobs),
            ENV_UMASK: f"{self.umask:03o}",
        }
        if self.redis_url:
            environ[ENV_REDIS_URL] = self.redis_url
        if self.data:
            environ[ENV_DATA] = str(self.data)
        return environ


def _with_password(url: str, password_file: str) -> str:
    try:
        password = Path(password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"{password_file}: {why}", hint=f"{ENV_REDIS_PASSWORD_FILE} must name a readable file"
        ) from error
    parts = urlsplit(url)
    login, _, address = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("fusionq")


def _read_config(path: Path) -> dict[str, str]:
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", hint="FUSIONQ_HOME must be a folder of your own"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", hint="mend the file or remove it") from error
    for key, value in config.items():
        if key not in CONFIG_KEYS:
            raise UsageError(f"{path}: unknown key {key!r}", hint=f"it may hold {', '.join(CONFIG_KEYS)}")
        if not isinstance(value, str):
            raise UsageError(f"{path}: {key} must be text", hint=f'write {key} = "…"')
    return config


def _duration(place: str, value: str) -> float:
    try:
        return parse_duration(float(value) if value.replace(".", "", 1).isdigit() else value)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None


def _retention(place: str, value: str) -> float | None:
    return None if value == FOREVER else _duration(place, value)


def _keep_jobs(place: str, value: str) -> int:
    if value.isascii() and value.isdecimal() and int(value) > 0:
        return int(value)
    raise UsageError(f"{place}: {value!r} is not a number of jobs", hint="100000 is the default")


def _lease(place: str, value: str) -> float:
    lease_s = _duration(place, value)
    if lease_s < 1:
        raise UsageError(f"{place}: a lease under 1s would be lost to any hiccup", hint="15s is the default")
    return lease_s


def _umask(place: str, value: str) -> int:
    if re.fullmatch(r"0?0[0-7]{2}", value):
        return int(value, 8)
    raise UsageError(
        f"{place}: {value!r} is not a umask that lets the owner read and write",
        hint="write 077 (private, the default), 027 (the group may read) or 022 (all may read)",
    )
