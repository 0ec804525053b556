"""Which failures make a worker suspect, and for how long it rests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fusionq.worker import failure_tracker as health_module
from fusionq.worker.failure_tracker import FIRST_REST_S, Fall, Health

SOON_S = 1.0


def fall(job_id: str, failure: str = "error", work: str = "") -> Fall:
    return Fall(job_id, 1, work or job_id, failure, 100.0)


def failed(health: Health, *job_ids: str) -> Health:
    for job_id in job_ids:
        health.note_failure(fall(job_id), SOON_S)
    return health


@pytest.fixture
def health() -> Health:
    return Health()


def test_three_different_jobs_in_a_row_make_a_worker_suspect(health: Health):
    assert not failed(health, "a", "b").is_suspect
    assert failed(health, "c").is_suspect


def test_the_same_job_three_times_says_something_of_the_job(health: Health):
    assert not failed(health, "a", "a", "a", "b", "a").is_suspect


def test_trials_of_one_sweep_are_the_same_job(health: Health):
    for number in range(5):
        health.note_failure(fall(f"s-{number}", work="s"), SOON_S)
    assert not health.is_suspect


def test_a_success_or_a_late_failure_breaks_the_row(health: Health):
    failed(health, "a", "b").note_success()
    assert not failed(health, "c").is_suspect
    failed(health, "d").note_failure(fall("long"), 11.0)
    assert not failed(health, "e", "f").is_suspect


@pytest.mark.parametrize("failure", ["spec_error", "non_finite_loss"])
def test_what_fails_everywhere_says_nothing_of_the_worker(health: Health, failure: str):
    for job_id in "abc":
        health.note_failure(fall(job_id, failure), SOON_S)
    assert not health.is_suspect


def test_after_its_rest_one_more_failure_is_enough_and_the_next_rest_is_twice_as_long(
    health: Health, stop_clock: Callable
):
    clock = stop_clock(health_module)
    failed(health, "a", "b", "c").rest()
    assert health.is_resting
    assert not health.has_rested
    clock(FIRST_REST_S + 1)
    assert health.has_rested
    health.end_rest()
    assert not health.is_resting
    assert not health.is_suspect
    assert failed(health, "d").is_suspect
    assert health.rest_s == 2 * FIRST_REST_S


def test_a_success_ends_the_probation(health: Health):
    failed(health, "a", "b", "c").rest()
    health.end_rest()
    health.note_success()
    assert not failed(health, "d", "e").is_suspect
    assert health.rest_s == FIRST_REST_S
