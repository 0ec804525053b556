"""Checks of Redis: version, rights, persistence, memory, latency, clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from fusionq.client.doctor.finding import Finding, ok, problem, warning
from fusionq.queue.celery_app import control_channels
from fusionq.spec.units import format_bytes
from fusionq.store import fitness
from fusionq.store.fitness import ServerFacts
from fusionq.store.store import Store

NUM_PINGS = 20
SLOW_MS = 50.0
NEARLY_FULL = 0.8
LARGEST_CLOCK_DIFFERENCE_S = 2.0


def check_redis(store: Store) -> Iterator[Finding]:
    """Yields what there is to say of the Redis of a store. Raises StoreUnavailableError."""
    facts = fitness.read_facts(store.redis)
    fitness.check(facts, store.redis.shown_url)
    yield _server(facts, store)
    store.check_channels(control_channels(store.url))
    yield ok("redis rights", "keys, scripts and channels may be used")
    info = store.redis.info("persistence")
    yield _persistence(info)
    yield _eviction(facts)
    yield _memory(facts)
    yield _latency(store)


def check_clock(store: Store) -> Iterator[Finding]:
    """Yields how far this machine's clock is from that of Redis."""
    begun = time.time()
    theirs = store.now()
    ahead = (begun + time.time()) / 2 - theirs
    yield clock_finding("clock", "this machine's clock", ahead)


def clock_finding(check: str, whose: str, ahead_s: float) -> Finding:
    """Returns what a clock so many seconds ahead of that of Redis means."""
    if abs(ahead_s) <= LARGEST_CLOCK_DIFFERENCE_S:
        return ok(check, f"{whose} agrees with that of Redis ({ahead_s:+.1f} s)")
    return warning(
        check,
        f"{whose} differs from that of Redis by {ahead_s:+.0f} s, and so do times in logs and reports",
        "set it by NTP; leases and order do not depend on it",
    )


def _server(facts: ServerFacts, store: Store) -> Finding:
    kind = "embedded" if store.embedded else facts.mode
    return ok("redis", f"Redis {facts.version} ({kind}) at {store.redis.shown_url}")


def _persistence(info: Mapping[str, Any]) -> Finding:
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        return problem("redis persistence", "it cannot write to its disk", "make room there; see its log")
    if not info.get("aof_enabled"):
        return warning(
            "redis persistence",
            "it writes no append-only file: when it ends, jobs since its last snapshot are lost",
            "redis-cli config set appendonly yes, and the same in its configuration",
        )
    return ok("redis persistence", "it writes an append-only file")


def _eviction(facts: ServerFacts) -> Finding:
    if facts.eviction != fitness.KEEPS_ALL:
        return warning(
            "redis eviction",
            f"maxmemory-policy is {facts.eviction}, which drops jobs as soon as there is a maxmemory",
            f"redis-cli config set maxmemory-policy {fitness.KEEPS_ALL}",
        )
    return ok("redis eviction", "it never drops a key")


def _memory(facts: ServerFacts) -> Finding:
    if not facts.max_memory:
        return ok("redis memory", f"{format_bytes(facts.used_memory)} used, no limit")
    used = f"{format_bytes(facts.used_memory)} of {format_bytes(facts.max_memory)} used"
    if facts.used_memory > NEARLY_FULL * facts.max_memory:
        return warning("redis memory", used, "give it more, or remove ended jobs: fusionq clean")
    return ok("redis memory", used)


def _latency(store: Store) -> Finding:
    times = []
    for _ in range(NUM_PINGS):
        begun = time.perf_counter()
        store.ping()
        times.append((time.perf_counter() - begun) * 1000)
    middle, longest = statistics.median(times), max(times)
    told = f"{middle:.1f} ms for an answer, {longest:.1f} ms at most"
    if middle > SLOW_MS:
        return warning("redis latency", told, "commands and the start of jobs wait for it several times")
    return ok("redis latency", told)
