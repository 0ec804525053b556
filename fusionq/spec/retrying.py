"""Whether an attempt that failed is tried again, and when."""

from __future__ import annotations

import random
from collections.abc import Mapping

from fusionq.spec.failures import counter_of
from fusionq.spec.job import RetryPolicy, RetrySection

MOST_BACKOFF_S = 3600.0  # no longer by doubling, only where the job file asks for it
MOST_JITTER = 1.5  # as many times as long, so that jobs that fell together do not rise together


def policy_of(failure: str, retry: RetrySection) -> RetryPolicy | None:
    """How often and how soon a failure is tried again; None for never."""
    word = counter_of(failure)
    if word not in retry.on:
        return None
    own = retry.on[word] if isinstance(retry.on, Mapping) else RetryPolicy()
    return RetryPolicy(
        max=retry.max if own.max is None else own.max,
        backoff=retry.backoff if own.backoff is None else own.backoff,
    )


def counts_alone(retry: RetrySection) -> bool:
    """Whether each class has a counter of its own: where each has a rule of its own."""
    return isinstance(retry.on, Mapping)


def losses_before(failure: str, losses: int, losses_by: Mapping[str, int], retry: RetrySection) -> int:
    """How many attempts failed before that count against this failure."""
    return losses_by.get(counter_of(failure), 0) if counts_alone(retry) else losses


def delay_before_retry(
    failure: str, losses: int, losses_by: Mapping[str, int], retry: RetrySection
) -> float | None:
    """Seconds to wait before the next attempt, twice as long each time; None where there is to be none."""
    policy = policy_of(failure, retry)
    before = losses_before(failure, losses, losses_by, retry)
    if policy is None or before >= policy.max:
        return None
    return min(policy.backoff * 2.0 ** min(before, 100), max(policy.backoff, MOST_BACKOFF_S))


def tried(losses: int) -> str:
    """The end of the reason of a failure that is not tried again."""
    return f"; it was tried {losses + 1} times" if losses else ""


def jittered(seconds: float) -> float:
    """A wait of this length or somewhat longer."""
    return seconds * random.uniform(1.0, MOST_JITTER)
