"""What the queue costs without a worker: submitting, planning, looking, and the bytes in Redis."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.queueing.installation import SLOTS, Installation
from benchmarks.queueing.report import Row
from fusionq.queue.freezing import Frozen, freeze
from fusionq.queue.scheduling import schedule
from fusionq.queue.submitting import submit
from fusionq.spec.users import user_name
from fusionq.store import keys

HOLDS_S = 3600.0
USERS = 20
PRIORITIES = 5


@dataclass(frozen=True)
class Size:
    """How much is measured; a smoke test measures little."""

    submits: int = 10_000
    pending: tuple[int, ...] = (10, 10_000, 100_000)
    workers: tuple[int, ...] = (1, 10, 100)
    repeats: int = 15


SMALL = Size(submits=20, pending=(10, 50), workers=(1, 3), repeats=1)


def measure(own: Installation, size: Size) -> Iterator[Row]:
    """The rows (c) to (f), in an order in which one fills Redis for the next."""
    simulated = _Simulated(own)
    most = max(size.pending)
    for pending in size.pending:
        if pending >= size.submits and not simulated.frozen.fields:
            yield from _submits(own, simulated, size)
        simulated.fill(pending)
        seconds = [_timed(lambda: simulated.submit(1)) for _ in range(size.repeats)]
        yield _row("c", f"one submit from Python, {pending:,} pending", seconds)
        for workers in size.workers:
            seconds = simulated.passes(workers, size.repeats)
            what = f"a pass that assigns one job, {pending:,} pending, {workers} workers"
            yield _row("d", what, seconds, bar=5.0 if pending == most else None)
    yield from _looks(own, size)


def _submits(own: Installation, simulated: _Simulated, size: Size) -> Iterator[Row]:
    simulated.freeze()
    before = own.store.redis.info("memory")["used_memory"]
    seconds = _timed(lambda: simulated.submit(size.submits))
    used = own.store.redis.info("memory")["used_memory"] - before
    yield Row("c", f"{size.submits:,} submits from one Python client", seconds, "s", bar=10.0)
    with_freezing = [_timed(lambda: simulated.submit(1, anew=True)) for _ in range(size.repeats)]
    yield _row("c", "one submit from Python, its code frozen anew", with_freezing)
    yield Row("f", "Redis per queued job, all told", used / size.submits / 1000, "KB", bar=4.0)


def _looks(own: Installation, size: Size) -> Iterator[Row]:
    for what, verb, bar in (
        ("`fusionq submit job.yaml`, its quick check with torch", ("submit", "job.yaml"), None),
        ("`fusionq status`", ("status",), 0.5),
        ("`fusionq status last`", ("status", "last"), 0.5),
    ):
        seconds = [_timed(lambda verb=verb: own.cli(*verb)) for _ in range(min(5, size.repeats))]
        part = "c" if verb[0] == "submit" else "e"
        yield _row(part, f"{what}, {own.store.jobs.count():,} jobs", seconds, "s", bar)


class _Simulated:
    """Jobs that nobody trains and workers that are only names."""

    def __init__(self, own: Installation) -> None:
        self._own = own
        self._store = own.store
        self._loaded = own.job()
        self.frozen = Frozen()

    def freeze(self) -> None:
        own = self._own
        self.frozen = freeze(self._store, own.settings, self._loaded.jobs, own.workdir)

    def submit(self, number: int, priority: int = 0, *, anew: bool = False) -> None:
        """As a user's script does it, in which code that does not change is frozen once, or `anew`."""
        spec = self._loaded.spec.model_copy(update={"priority": priority})
        for _ in range(number):
            if anew:
                self.freeze()
            submit(self._store, self._own.sender, spec, self._own.workdir, self.frozen)

    def fill(self, pending: int) -> None:
        """The jobs of many users, of several priorities."""
        counts = self._store.queues.counts().get("default")
        missing = max(0, pending - (counts.pending if counts else 0))
        for number in range(USERS):
            with _user(f"user-{number}"):
                self.submit(missing // USERS + (number < missing % USERS), number % PRIORITIES)

    def passes(self, workers: int, repeats: int) -> list[float]:
        """Seconds of each pass that finds all workers full but for one slot."""
        names = [f"simulated-{number}" for number in range(workers)]
        for name in names:
            self._register(name)
        self.submit(workers * SLOTS + repeats)  # those that are taken away
        schedule(self._store, self._own.sender)
        seconds = []
        for number in range(repeats):
            self._end_one(names[number % workers])
            seconds.append(_timed(self._pass))
        for name in names:
            self._leave(name)
        return seconds

    def _pass(self) -> None:
        assert schedule(self._store, self._own.sender) == 1

    def _register(self, name: str) -> None:
        fields = {
            "host": "h",
            "pid": 1,
            "slots": SLOTS,
            "accepting": 1,
            "queues": '["default"]',
            "gpus": "[]",
        }
        assert self._store.workers.register(name, name, HOLDS_S, fields)

    def _end_one(self, worker: str) -> None:
        job_id = next(iter(self._store.redis.smembers(keys.worker_jobs(worker))))
        self._store.jobs.cancel(job_id, "makes room")

    def _leave(self, worker: str) -> None:
        self._store.workers.unregister(worker, worker)
        for job_id in self._store.redis.smembers(keys.worker_jobs(worker)):
            self._store.jobs.cancel(job_id, "its worker left")
        self._store.redis.delete(f"{keys.CELERY_PREFIX}node.{worker}")


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _row(part: str, what: str, seconds: list[float], unit: str = "ms", bar: float | None = None) -> Row:
    factor = 1e3 if unit == "ms" else 1.0
    worst = f"worst {max(seconds) * factor:,.2f} {unit} of {len(seconds)}"
    return Row(part, what, statistics.median(seconds) * factor, unit, bar=bar, note=worst)


@contextmanager
def _user(name: str) -> Iterator[None]:
    """Who submits, in this process."""
    before = os.environ.get("LOGNAME")
    os.environ["LOGNAME"] = name
    user_name.cache_clear()
    yield
    os.environ.pop("LOGNAME") if before is None else os.environ.update(LOGNAME=before)
    user_name.cache_clear()
