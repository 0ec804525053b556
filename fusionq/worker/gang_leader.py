"""The other workers of a job that trains on several, as seen by the one that leads it.

Each says with its heartbeat that its part lives. Where one is not heard of for longer than a lease, or its
processes failed, the attempt ends as a whole.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from fusionq.errors import StoreUnavailableError
from fusionq.spec.failures import WORKER_LOST
from fusionq.spec.record import JobRecord
from fusionq.store.gangs import Gang
from fusionq.store.store import Store

LOOK_S = 1.0
WORDS_S = 3.0  # how long to wait for what another worker says of a connection that broke
POLL_S = 0.05


class Others:
    """Of a job that trains on one worker there are none, and nothing is asked of Redis."""

    def __init__(self, store: Store, record: JobRecord, lease_s: float) -> None:
        self._store = store
        self._job_id = record.id
        self._names = {name for name, _ in record.members}
        self._lease_s = lease_s
        self._next_look = 0.0

    def failure(self) -> dict[str, Any] | None:
        """Why the attempt cannot go on, where that is because of another worker. Looks once a second."""
        if not self._names or time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + LOOK_S
        gang = self._read()
        return None if gang is None else self._failure_in(gang)

    def cause(self, error: dict[str, Any] | None) -> dict[str, Any] | None:
        """What failed first: where our ranks only lost the connection to others, these may know more."""
        if not self._names or error is None or error["class"] != WORKER_LOST:
            return error
        deadline = time.monotonic() + WORDS_S
        while time.monotonic() < deadline:
            gang = self._read()
            if gang is not None and gang.error:
                return dict(gang.error)
            time.sleep(POLL_S)
        return error

    def await_done(self) -> None:
        """Until nothing of the job runs anywhere, as far as the other workers live."""
        deadline = time.monotonic() + self._lease_s
        while self._names and time.monotonic() < deadline:
            gang = self._read()
            if gang is None or self._names <= gang.done or not gang.silent_s:
                return
            time.sleep(POLL_S)

    def _failure_in(self, gang: Gang) -> dict[str, Any] | None:
        if gang.error:
            return dict(gang.error)
        for name in sorted(self._names - gang.done):
            if gang.silent_s.get(name, 0.0) > self._lease_s:
                return {"class": WORKER_LOST, "reason": f"the worker {name}, which trains with it, was lost"}
        return None

    def _read(self) -> Gang | None:
        with suppress(StoreUnavailableError):
            return self._store.gangs.read(self._job_id)
        return None
