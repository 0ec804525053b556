"""On a simulated pool, with the real planner: large jobs are not starved, and the GPUs stay in use."""

from __future__ import annotations

import math
from statistics import median

import pytest

from tests.queue.simulation import Outcome, arrivals, simulate


def every_wait(outcome: Outcome) -> list[float]:
    return [wait for waits in outcome.waits.values() for wait in waits]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_large_job_comes_at_last_and_small_ones_hardly_wait_for_it(seed: int):
    jobs = arrivals(600, seed)
    ours = simulate(jobs)
    always_filled = simulate(jobs, patience_s=math.inf)
    strict = simulate(jobs, in_strict_order=True)
    assert len(every_wait(ours)) == len(jobs)
    assert max(ours.waits[8]) < max(always_filled.waits[8]) / 2
    assert median(every_wait(ours)) < median(every_wait(strict)) / 2
    assert ours.utilisation >= strict.utilisation
