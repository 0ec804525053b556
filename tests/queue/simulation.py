"""Jobs of mixed sizes on a simulated pool: `python -m tests.queue.simulation` prints what each order costs.

The planner is the real one; time, jobs and workers are made up, from a seed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import mean, median

from fusionq.queue.planner import Assignment, plan
from fusionq.spec.record import JobRecord
from tests.queue.planned import job, view, worker

POOL = {"large": 8, "middle": 4, "small": 4}  # GPUs by worker
SIZES = {1: 0.6, 2: 0.2, 4: 0.15, 8: 0.05}  # GPUs of a job, and how many are of that size
MEAN_S = 3600.0
LOAD = 0.75  # of all GPUs, if none were ever idle


@dataclass
class Outcome:
    """Waiting times in seconds by the number of GPUs, and the share of GPU time that was used."""

    waits: dict[int, list[float]] = field(default_factory=dict)
    utilisation: float = 0.0

    def row(self, name: str) -> str:
        shown = [f"{mean(waits) / 60:8.0f}{max(waits) / 60:8.0f}" for _, waits in sorted(self.waits.items())]
        every = [wait for waits in self.waits.values() for wait in waits]
        return f"{name:28}{self.utilisation:7.0%}{median(every) / 60:8.0f}" + "".join(shown)


@dataclass(frozen=True)
class Arrival:
    at: float
    record: JobRecord
    size: int
    lasts_s: float


def arrivals(number: int, seed: int) -> list[Arrival]:
    rng = Random(seed)
    gpus = sum(POOL.values())
    mean_size = sum(size * share for size, share in SIZES.items())
    now, found = 0.0, []
    for count in range(number):
        now += rng.expovariate(LOAD * gpus / (mean_size * MEAN_S))
        [size] = rng.choices(list(SIZES), SIZES.values())
        record = job(f"j{count}", sequence=count, gpus=str(size))
        found.append(Arrival(now, record, size, rng.expovariate(1 / MEAN_S)))
    return found


def simulate(jobs: Sequence[Arrival], *, patience_s: float = 600.0, in_strict_order: bool = False) -> Outcome:
    """Run all jobs; `in_strict_order` lets nobody start before whoever came before."""
    pool = _Pool()
    outcome = Outcome({size: [] for size in SIZES})
    waiting: dict[str, Arrival] = {}
    events: list[tuple[float, int, Arrival, Assignment | None]] = [
        (arrival.at, number, arrival, None) for number, arrival in enumerate(jobs)
    ]
    heapq.heapify(events)
    worked = 0.0
    while events:
        now, number, arrival, done = heapq.heappop(events)
        if done is None:
            waiting[arrival.record.id] = arrival
        else:
            pool.free(done)
        while made := pool.assign(waiting, now, patience_s, in_strict_order):
            for choice in made:
                begun = waiting.pop(choice.job_id)
                outcome.waits[begun.size].append(now - begun.at)
                worked += begun.size * begun.lasts_s
                heapq.heappush(events, (now + begun.lasts_s, len(jobs) + number, begun, choice))
    outcome.utilisation = worked / (now * sum(POOL.values()))
    return outcome


class _Pool:
    def __init__(self) -> None:
        self.busy: dict[str, set[int]] = {name: set() for name in POOL}

    def free(self, choice: Assignment) -> None:
        self.busy[choice.worker] -= set(choice.gpus)

    def assign(
        self, waiting: dict[str, Arrival], now: float, patience_s: float, in_strict_order: bool
    ) -> list[Assignment]:
        """What starts now; in strict order one job at most."""
        some = [*waiting.values()][: 1 if in_strict_order else None]
        workers = [worker(name, slots=n, gpus=n, busy_gpus=[*self.busy[name]]) for name, n in POOL.items()]
        waited = {arrival.record.id: now - arrival.at for arrival in some}
        made = plan(view([a.record for a in some], workers, waited=waited, patience_s=patience_s))
        for choice in made:
            self.busy[choice.worker] |= set(choice.gpus)
        return made


def main() -> None:
    jobs = arrivals(1000, seed=1)
    head = "".join(f"{f'{size} GPU: mean':>12}{'max':>4}" for size in SIZES)
    print(f"{'waiting times in minutes':28}{'in use':>7}{'median':>8}{head}")
    print(simulate(jobs).row("patience of 10 minutes"))
    print(simulate(jobs, patience_s=3600).row("patience of an hour"))
    print(simulate(jobs, patience_s=math.inf).row("small jobs always fill up"))
    print(simulate(jobs, in_strict_order=True).row("first come, first served"))


if __name__ == "__main__":
    main()
