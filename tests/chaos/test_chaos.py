"""The short form: some faults of each kind, with a short lease. `python -m tests.chaos` is the long one."""

from __future__ import annotations

from random import Random

import pytest

from tests.chaos import faults
from tests.chaos.campaign import run
from tests.chaos.journal import Line
from tests.chaos.table import text_of
from tests.chaos.verdict import overlap
from tests.chaos.world import World


@pytest.mark.acceptance
def test_nothing_is_lost_and_nothing_runs_twice_whatever_dies(tmp_path_factory: pytest.TempPathFactory):
    world = World(tmp_path_factory.mktemp("chaos"), lease_s=3.0, epochs=4)
    try:
        world.begin()
        report = run(world, faults.QUICK, Random(1))
    finally:
        world.close()
    assert report.is_good, text_of(report)


def lines(*written: tuple[int, int]) -> list[Line]:
    return [Line("j", attempt, pid, "begin", float(number)) for number, (attempt, pid) in enumerate(written)]


def test_attempts_that_follow_each_other_do_not_overlap():
    assert overlap(lines((1, 7), (1, 7), (2, 8), (4, 9), (4, 9))) == []


def test_an_attempt_that_goes_on_beside_a_later_one_is_found():
    found = overlap(lines((1, 7), (2, 8), (1, 7), (2, 8)))
    assert [line.attempt for line in found] == [1]


def test_two_processes_of_one_attempt_are_found():
    assert [line.pid for line in overlap(lines((1, 7), (1, 8), (1, 7)))] == [8]
