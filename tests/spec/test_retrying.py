"""Whether a failed attempt is tried again, and when."""

from __future__ import annotations

from typing import get_args

import pytest

from fusionq.spec.failures import FAILURES, counter_of, next_step
from fusionq.spec.job import FailureClass, RetrySection
from fusionq.spec.retrying import MOST_BACKOFF_S, MOST_JITTER, delay_before_retry, jittered


def delays(retry: RetrySection, failure: str, count: int) -> list[float | None]:
    """The wait after each of the first `count` failures."""
    return [delay_before_retry(failure, losses, {}, retry) for losses in range(count)]


def test_a_failure_is_tried_again_as_often_as_the_job_file_says():
    retry = RetrySection(max=2, on=["crash"])
    assert delays(retry, "crash", 4) == [0, 0, None, None]
    assert delays(retry, "oom", 1) == [None]
    assert delays(RetrySection(max=0), "crash", 1) == [None]


def test_waits_double_up_to_an_hour_or_to_what_the_job_file_asks_for():
    assert delays(RetrySection(max=9, backoff=10.0), "crash", 3) == [10, 20, 40]
    assert delays(RetrySection(max=100, backoff=10.0), "crash", 100)[-1] == MOST_BACKOFF_S
    assert delays(RetrySection(backoff=7200.0), "crash", 2) == [7200, 7200]


def test_a_wait_becomes_somewhat_longer_by_chance_never_shorter():
    found = {jittered(10.0) for _ in range(50)}
    assert len(found) > 1
    assert min(found) >= 10
    assert max(found) <= 10 * MOST_JITTER
    assert jittered(0.0) == 0


def test_a_block_gives_each_class_its_rule_and_its_count():
    retry = RetrySection.model_validate({"max": 1, "on": {"oom": {"max": 3, "backoff": "1m"}, "crash": {}}})
    assert delay_before_retry("oom", 2, {"crash": 2}, retry) == 60
    assert delay_before_retry("oom", 3, {"crash": 1, "oom": 2}, retry) == 240
    assert delay_before_retry("oom", 3, {"oom": 3}, retry) is None
    assert delay_before_retry("crash", 1, {"crash": 1}, retry) is None
    assert delay_before_retry("worker_lost", 0, {}, retry) is None


def test_what_the_job_file_may_name_is_in_the_table():
    assert set(get_args(FailureClass)) <= set(FAILURES)
    assert {failure.counts_as for failure in FAILURES.values()} - {""} <= set(get_args(FailureClass))


@pytest.mark.parametrize(
    ("failure", "counter"),
    [("host_oom", "oom"), ("lost_lease", "worker_lost"), ("crash", "crash"), ("?", "error")],
)
def test_a_failure_counts_as_one_that_the_job_file_may_name(failure: str, counter: str):
    assert counter_of(failure) == counter


def test_every_failure_has_a_next_step_that_names_the_job():
    assert all(failure.words and failure.next_step for failure in FAILURES.values())
    assert next_step("error", "abc") == "its log shows where: fusionq logs abc"
    assert next_step("of a later version", "abc") == ""
