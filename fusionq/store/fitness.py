"""Checks at first contact that a Redis can hold a queue: what would lose jobs, or fail later, is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from fusionq.errors import StoreUnavailableError
from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.outages import unavailable
from fusionq.store.server_binary import OLDEST, is_too_old, parse_version, show_version

SECTIONS = ("server", "replication", "memory")
KEEPS_ALL = "noeviction"
STANDALONE, MASTER = "standalone", "master"
NO_SUBSCRIBER = ""


@dataclass(frozen=True)
class ServerFacts:
    """What a Redis says of itself; sizes in bytes, `max_memory` 0 where it has no limit."""

    version: str
    mode: str
    role: str
    master: str
    max_memory: int
    used_memory: int
    eviction: str
    uptime_s: float

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> ServerFacts:
        """Reads the answers to INFO."""
        return cls(
            version=str(info.get("redis_version", "")),
            mode=str(info.get("redis_mode", STANDALONE)),
            role=str(info.get("role", MASTER)),
            master=f"{info.get('master_host', '?')}:{info.get('master_port', '?')}",
            max_memory=int(info.get("maxmemory", 0)),
            used_memory=int(info.get("used_memory", 0)),
            eviction=str(info.get("maxmemory_policy", KEEPS_ALL)),
            uptime_s=float(info.get("uptime_in_seconds", 0)),
        )

    @property
    def drops_keys(self) -> bool:
        """Whether it throws away keys when its memory is full."""
        return self.max_memory > 0 and self.eviction != KEEPS_ALL


def read_facts(client: Client) -> ServerFacts:
    """Returns what the Redis says of itself, in one round trip. Raises StoreUnavailableError.

    The same round trip tries the keys, and the channels on which jobs and workers are told to stop.
    """
    pipe = client.pipeline(transaction=False)
    for section in SECTIONS:
        pipe.info(section)
    pipe.publish(keys.stop_channel(NO_SUBSCRIBER), "")
    pipe.exists(keys.JOBS)
    told = pipe.execute()[: len(SECTIONS)]
    return ServerFacts.of({name: value for section in told for name, value in section.items()})


def check(facts: ServerFacts, shown_url: str) -> None:
    """Raises StoreUnavailableError, with what to do, for a Redis that cannot hold a queue."""
    if is_too_old(parse_version(facts.version)):
        raise StoreUnavailableError(
            f"Redis at {shown_url} is {facts.version}, and fusionq needs {show_version(OLDEST)} or newer",
            hint="install a newer one, or name another with --redis-url",
        )
    if facts.mode != STANDALONE:
        kind = "a node of a Redis Cluster" if facts.mode == "cluster" else f"a Redis in {facts.mode} mode"
        raise StoreUnavailableError(
            f"{shown_url} is {kind}, on which the queue cannot run", hint="name a single Redis server"
        )
    if facts.role != MASTER:
        raise StoreUnavailableError(
            f"{shown_url} is a replica, which cannot be written to", hint=f"name its master, {facts.master}"
        )
    if facts.drops_keys:
        raise StoreUnavailableError(
            f"Redis at {shown_url} would drop jobs once it is full (maxmemory-policy {facts.eviction})",
            hint=f"let it keep them: redis-cli config set maxmemory-policy {KEEPS_ALL}",
        )


def check_channels(client: Client, channels: tuple[str, ...]) -> None:
    """Subscribes to each as a pattern, as Celery does. Raises StoreUnavailableError where that is denied."""
    try:
        with client.pubsub() as subscriber:
            for channel in channels:
                subscriber.psubscribe(channel)
                subscriber.get_message(timeout=client.reply_timeout_s)
    except RedisError as error:
        raise unavailable(client.shown_url, error) from error
