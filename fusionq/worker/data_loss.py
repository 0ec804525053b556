"""Notices that Redis has lost the data of the jobs that run here, and holds them still until that is settled.

An empty Redis, or another one in its place, says of every job that it is unknown. That is no reason to kill
it: the data may come back. So the lease is not renewed, the jobs stop themselves at its end (see
`fusionq.worker.lease_guard`), and stay so until Redis is the one that it was, or somebody recovers the jobs,
or stops the worker.
"""

from __future__ import annotations

import logging

from fusionq.store.identity import Identity
from fusionq.worker.running_attempts import LOST, Running

log = logging.getLogger("fusionq.worker")


class DataLossGuard:
    """Remembers who Redis is, from the first heartbeat on."""

    def __init__(self, identity: Identity, running: Running) -> None:
        self._identity = identity
        self._running = running
        self._name = ""
        self._last_ms = 0
        self._is_holding = False

    def check(self) -> bool:
        """Returns whether jobs here must stand still. Raises StoreUnavailableError."""
        seen = self._identity.read()
        if not self._name:
            self._name, self._last_ms = self._identity.ensure(), seen.now_ms
        elif seen.name == self._name:
            self._last_ms = seen.now_ms
            if self._is_holding:
                log.warning("Redis has its data again; the jobs go on")
        elif not self._running.all():
            self._name, self._last_ms = self._identity.ensure(), seen.now_ms
        elif seen.recovered_ms > self._last_ms:
            log.warning("jobs were recovered into this Redis; the copies here are killed")
            self._running.ask_all_to_stop(LOST)
            self._name, self._last_ms = seen.name, seen.now_ms
        else:
            self._begin_to_hold()
            return True
        self._is_holding = False
        return False

    def _begin_to_hold(self) -> None:
        if not self._is_holding:
            self._is_holding = True
            log.error(
                "Redis has lost its data, or is another one; these jobs stand still from the end of their "
                "lease: %s; bring the data back, or say `fusionq recover`, or stop this worker",
                ", ".join(attempt.job_id for attempt in self._running.all()),
            )
