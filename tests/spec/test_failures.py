"""Whether a failed attempt is tried again, and when."""

from __future__ import annotations

from fusionq.spec.failures import MOST_BACKOFF_S, backoff_s, may_retry
from fusionq.spec.job import RetrySection


def test_a_failure_is_tried_again_as_often_as_the_job_file_says():
    retry = RetrySection(max=2, on=["crash"])
    assert [may_retry("crash", losses, retry) for losses in range(4)] == [True, True, False, False]
    assert not may_retry("oom", 0, retry)
    assert not may_retry("crash", 0, RetrySection(max=0))


def test_waits_double_up_to_an_hour_or_to_what_the_job_file_asks_for():
    assert [backoff_s(RetrySection(backoff=10.0), losses) for losses in range(3)] == [10, 20, 40]
    assert backoff_s(RetrySection(backoff=10.0), 100) == MOST_BACKOFF_S
    assert [backoff_s(RetrySection(backoff=7200.0), losses) for losses in range(2)] == [7200, 7200]
    assert backoff_s(RetrySection(), 100) == 0
