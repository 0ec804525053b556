"""Checks of the workers: alive, silent, out of order, of another version, with another time."""

from __future__ import annotations

from collections.abc import Iterator

import fusionq
from fusionq.client.doctor.finding import Finding, ok, problem, warning
from fusionq.client.doctor.redis_server import LARGEST_CLOCK_DIFFERENCE_S, clock_finding
from fusionq.queue.reasons import START_A_WORKER
from fusionq.spec.units import format_duration
from fusionq.store.store import Store
from fusionq.store.workers import WorkerRecord

CHECK = "workers"


def check_workers(store: Store) -> Iterator[Finding]:
    """Yields what there is to say of the workers on the list."""
    found = store.workers.all()
    alive = [worker for worker in found if worker.is_alive]
    if alive:
        slots = sum(worker.slots for worker in alive)
        names = ", ".join(worker.name for worker in alive)
        yield ok(CHECK, f"{len(alive)} alive with {slots} slot{'' if slots == 1 else 's'}: {names}")
    else:
        yield warning(CHECK, "none is alive, so no job runs", START_A_WORKER)
    now = store.now()
    for worker in found:
        yield from _of_one(worker, now)


def _of_one(worker: WorkerRecord, now: float) -> Iterator[Finding]:
    if not worker.is_alive:
        silent = format_duration(max(0.0, now - worker.seen_at))
        yield warning(
            CHECK,
            f"{worker.name} on {worker.host} has been silent for {silent}",
            "see whether it runs there; a day after its last word it goes off the list",
        )
        return
    if worker.is_holding:
        yield problem(
            CHECK,
            f"{worker.name} runs jobs that this Redis has lost, and holds them still",
            "bring its data back, or: fusionq recover",
        )
    if worker.quarantine:
        yield warning(
            CHECK,
            f"{worker.name} is in quarantine: {worker.quarantine}",
            f"end it: fusionq worker resume {worker.name}",
        )
    if worker.problem:
        yield warning(
            CHECK, f"{worker.name} takes no jobs: {worker.problem}", "make room there: fusionq clean"
        )
    if worker.version != fusionq.__version__:
        yield warning(
            CHECK,
            f"{worker.name} runs version {worker.version}, this is {fusionq.__version__}",
            "install the same version on all machines",
        )
    if worker.clock_ahead_s is not None and abs(worker.clock_ahead_s) > LARGEST_CLOCK_DIFFERENCE_S:
        yield clock_finding("clock", f"the clock of {worker.name} on {worker.host}", worker.clock_ahead_s)
