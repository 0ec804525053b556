"""The queues as a whole: paused or not, in which order jobs go, and how far ahead of a job others are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fusionq.errors import UsageError
from fusionq.store import keys
from fusionq.store.bulk import chunks
from fusionq.store.connection import Client
from fusionq.store.need import Need, need_of
from fusionq.store.scripts import Scripts
from fusionq.store.view import FAIR, FIFO, PATIENCE_S

ORDERS = (FAIR, FIFO)
CHUNK = 20  # jobs that are looked up in one go, so that nobody waits for Redis meanwhile


class Counts(NamedTuple):
    """How many jobs of a queue wait in it and how many are assigned or running; how long the oldest waits."""

    pending: int
    running: int
    oldest_s: float = 0.0


class Place(NamedTuple):
    """Where a queued job stands: how many of its queue go before it."""

    job_id: str
    need: Need
    ahead: int


class Queues:
    """All queues of one Redis."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def pause(self, queue: str, reason: str) -> None:
        """Start no job of this queue from now on. Those that run go on."""
        self._redis.hset(keys.PAUSED, queue, reason)

    def clear(self, queue: str) -> int:
        """Ask its running jobs to save their state and go back to it. Returns how many."""
        return self._scripts.run("clear_queue", queue, keys.stop_channel(""))

    def resume(self, queue: str) -> bool:
        """Start its jobs again. False where it was not paused."""
        return bool(self._redis.hdel(keys.PAUSED, queue))

    def paused(self) -> dict[str, str]:
        """Why, by queue."""
        return self._redis.hgetall(keys.PAUSED)

    def order(self) -> str:
        """What decides between jobs of one priority: 'fair' or 'fifo'."""
        return FIFO if self._redis.hget(keys.POLICY, "order") == FIFO else FAIR

    def set_order(self, order: str) -> None:
        """Raises UsageError for an order that is none."""
        if order not in ORDERS:
            raise UsageError(f"{order!r} is no order of a queue", hint=f"it is one of {', '.join(ORDERS)}")
        self._redis.hset(keys.POLICY, "order", order)

    def patience(self) -> float:
        """How many seconds a job waits for several GPUs until a worker is kept free for it."""
        return float(self._redis.hget(keys.POLICY, "patience_s") or PATIENCE_S)

    def set_patience(self, seconds: float) -> None:
        self._redis.hset(keys.POLICY, "patience_s", seconds)

    def counts(self) -> dict[str, Counts]:
        """Every queue with a job that has not ended, a worker or a pause, by name."""
        flat = self._scripts.run("count_queues")
        rows = zip(*(flat[i::4] for i in range(4)), strict=True)
        return {
            queue: Counts(pending, running, oldest_ms / 1000)
            for queue, pending, running, oldest_ms in sorted(rows)
        }

    def tally(self) -> dict[str, int]:
        """How many jobs there are by their state in one word: their outcome where they have one."""
        return {state: int(count) for state, count in self._redis.hgetall(keys.TALLY).items()}

    def lost_attempts(self) -> dict[str, int]:
        """How many attempts were ever lost, by the class of what failed."""
        return {failure: int(count) for failure, count in self._redis.hgetall(keys.LOST_ATTEMPTS).items()}

    def places(self, ids: Iterable[str]) -> dict[str, Place]:
        """Where queued jobs stand now, exactly; of a sweep the first trial that is queued.

        In the fair order this is where they would stand if no job that runs now ended before them. Ids of
        which nothing is queued are left out.
        """
        found = {}
        for chunk in chunks(ids, CHUNK):
            for asked, answer in zip(chunk, self._scripts.run("places", *chunk), strict=True):
                if answer:
                    job_id, lane, ahead = answer
                    found[asked] = Place(job_id, need_of(lane), ahead)
        return found
