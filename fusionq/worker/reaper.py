"""Takes lost attempts from dead workers. Every worker may do it, one at a time."""

from __future__ import annotations

import logging
import time

from fusionq.errors import NotFoundError, SpecError
from fusionq.spec.failures import FAILURES, LOST_LEASE, WORKER_LOST
from fusionq.spec.job import RetrySection
from fusionq.spec.load import parse_job
from fusionq.spec.retrying import delay_before_retry, jittered, tried
from fusionq.worker.processes.tree import kill_orphans
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

AFTER_OUTAGE_S = 5.0
TURN_S = 1.0  # no two workers reap within it


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
        if expired and (orphans := kill_orphans()):  # on this machine, before the next attempt begins
            log.warning("killed what jobs of a dead worker left behind: processes %s", orphans)
        if not expired or not self._may_judge():
            return 0
        if not store.passes.begin_reaping(self._node.token, min(TURN_S, lease_s / 3)):
            return 0
        return sum(self._take(*lost) for lost in expired)

    def _take(self, job_id: str, attempt: int) -> bool:
        store = self._node.store
        record = store.jobs.get(job_id)
        alive = {worker.name for worker in store.workers.alive()}
        failure = LOST_LEASE if record.worker in alive else WORKER_LOST
        delay_s = delay_before_retry(failure, record.losses, record.losses_by, self._retry_of(job_id))
        reason = FAILURES[failure].words + ("" if delay_s is not None else tried(record.losses))
        answer = store.jobs.reap(
            job_id,
            attempt,
            delay_s=None if delay_s is None else jittered(delay_s),
            reason=reason,
            failure=failure,
        )
        if answer:
            log.warning("job %s attempt %d: %s (%s)", job_id, attempt, reason, answer)
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
