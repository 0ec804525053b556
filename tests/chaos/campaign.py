"""Gives faults to a world, one after the other, and takes down what came of them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from tests.chaos.faults import Fault
from tests.chaos.verdict import Verdict, judge
from tests.chaos.world import World

GRACE_S = 5.0  # a job of a dead worker trains again so long after the lease at the latest


@dataclass
class Report:
    lease_s: float
    faults: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    after_outage: list[float] = field(default_factory=list)  # deaths while whoever reaps is patient
    jobs: int = 0
    attempts: int = 0
    batches: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def median_s(self) -> float:
        return median(self.recoveries) if self.recoveries else 0.0

    @property
    def worst_s(self) -> float:
        return max(self.recoveries, default=0.0)

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good and self.worst_s < self.lease_s + GRACE_S


def run(world: World, faults: Sequence[Fault], rng: Random, *, seconds: float = 0.0) -> Report:
    """Each fault once, in a random order, and again until the time is over; then see what is left."""
    report = Report(world.lease_s)
    ends_at = time.monotonic() + seconds
    while True:
        for fault in rng.sample(list(faults), len(faults)):
            if fault.__name__ == "disk_full" and not world.has_small_disk:
                report.skipped.append(fault.__name__)
                continue
            _give(world, fault, rng, report)
            if report.faults.total() >= len(faults) and time.monotonic() > ends_at:
                break
        if time.monotonic() > ends_at:
            break
    world.finish()
    world.stop_workers()
    report.verdict = judge(world)
    lines = world.journal.lines()
    report.jobs = len(world.jobs)
    report.attempts = len({(line.job_id, line.attempt) for line in lines})
    report.batches = sum(line.what == "end" for line in lines)
    return report


def _give(world: World, fault: Fault, rng: Random, report: Report) -> None:
    begun_at = time.monotonic()
    world.await_training()
    was_patient = world.is_patient
    recoveries = fault(world, rng)
    report.faults[fault.__name__] += 1
    (report.after_outage if was_patient else report.recoveries).extend(recoveries)
    told = "".join(f", training again after {seconds:.1f} s" for seconds in recoveries)
    print(f"{fault.__name__:20} {time.monotonic() - begun_at:6.1f} s{told}", file=sys.stderr, flush=True)
