"""What follows when an attempt fails: whether it is tried again, and when."""

from __future__ import annotations

from fusionq.spec.job import RetrySection

MOST_BACKOFF_S = 3600.0  # doubling goes no further, unless the job file itself asks for more


def may_retry(failure: str, losses: int, retry: RetrySection) -> bool:
    """Whether a failure of this class is tried again, after `losses` that were tried again before."""
    return failure in retry.on and losses < retry.max


def backoff_s(retry: RetrySection, losses: int) -> float:
    """How long to wait before the next attempt: twice as long each time."""
    return min(retry.backoff * 2.0**losses, max(retry.backoff, MOST_BACKOFF_S))
