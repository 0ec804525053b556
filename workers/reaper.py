"""Takes lost attempts from dead workers. Every worker may do it, one at a time."""

from __future__ import annotations

import logging
import time

from fusionq.errors import NotFoundError, SpecError
from fusionq.spec.failures import backoff_s
from fusionq.spec.job import RetrySection
from fusionq.spec.load import parse_job
from workers.node import Node

log = logging.getLogger("fusionq.worker")

AFTER_OUTAGE_S = 5.0
FAILURE = "worker_lost"
REASON = "its worker was lost"


class Reaper:
    """Patient: a lease that ran out while Redis was away says nothing about the worker that held it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._connected_since = time.monotonic()

    def note_outage(self) -> None:
        self._connected_since = time.monotonic()

    def reap(self) -> int:
        """Put jobs whose lease ran out back into their queues, or end them. Returns how many."""
        store, lease_s = self._node.store, self._node.settings.lease_s
        expired = store.jobs.expired()
        if not expired or not self._may_judge():
            return 0
        if not store.passes.begin_reaping(self._node.token, lease_s / 3):
            return 0
        return sum(self._take(*lost) for lost in expired)

    def _take(self, job_id: str, attempt: int, losses: int) -> bool:
        retry = self._retry_of(job_id)
        answer = self._node.store.jobs.reap(
            job_id,
            attempt,
            delay_s=backoff_s(retry, losses),
            max_losses=retry.max if FAILURE in retry.on else 0,
            reason=REASON,
        )
        if answer:
            log.warning("job %s attempt %d: %s (%s)", job_id, attempt, REASON, answer)
        return bool(answer)

    def _retry_of(self, job_id: str) -> RetrySection:
        try:
            return parse_job(self._node.store.jobs.spec(job_id)).retry
        except (SpecError, NotFoundError):  # of another version: it must not hold up the others
            return RetrySection()

    def _may_judge(self) -> bool:
        patience_s = self._node.settings.lease_s + AFTER_OUTAGE_S
        connected_s = time.monotonic() - self._connected_since
        return connected_s > self._node.settings.lease_s and self._node.store.uptime_s() > patience_s
