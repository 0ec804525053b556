"""Waits until jobs have ended, or have come as far as somebody wants them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.connection import LONGEST_BLOCK_S
from fusionq.store.store import Store
from fusionq.store.streams import Change

LOOK_S = 30.0  # how often all records are read where events never cease, of which Redis keeps the latest only

_ORDER = tuple(Status)


def wait_for_jobs(
    store: Store,
    job_ids: Iterable[str],
    *,
    until: Status = Status.FINISHED,
    timeout_s: float | None = None,
    tell: Callable[[JobRecord], None] = lambda record: None,
    check: Callable[[], None] = lambda: None,
    seen: str = "",
) -> list[JobRecord]:
    """Returns the records of the jobs, in their order, once each has come to the state `until` or past it.

    Calls `tell` for each when it has. What happens after the event `seen`, which is the newest one unless it
    is given, counts though somebody has queued the job again since. A job that was removed is left out. Calls
    `check` where nothing has changed for some seconds; it may raise.

    Raises TimeoutError after `timeout_s`, StoreUnavailableError after a minute without Redis.
    """
    return _Wait(store, job_ids, until, tell, check, seen).run(timeout_s)


class _Wait:
    def __init__(
        self,
        store: Store,
        job_ids: Iterable[str],
        until: Status,
        tell: Callable[[JobRecord], None],
        check: Callable[[], None],
        seen: str,
    ) -> None:
        self._store = store
        self._wanted = list(dict.fromkeys(job_ids))
        self._left = dict.fromkeys(self._wanted)
        self._until = until
        self._tell = tell
        self._check = check
        self._seen = seen
        self._reached: dict[str, JobRecord] = {}
        self._looked_at: float | None = None  # when all records were read last

    def run(self, timeout_s: float | None) -> list[JobRecord]:
        ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        patience = Patience()
        while self._left:
            try:
                self._go_on(ends_at)
                patience.note_word()
            except StoreUnavailableError as error:
                patience.bear(error)
            if self._left and ends_at is not None and time.monotonic() >= ends_at:
                raise TimeoutError(f"{self._what_is_left()} not {self._until} after {timeout_s:g} s")
        return [self._reached[job_id] for job_id in self._wanted if job_id in self._reached]

    def _go_on(self, ends_at: float | None) -> None:
        """Takes in what happens next, or what there is at first."""
        if self._looked_at is None:
            self._seen = (
                self._seen or self._store.streams.last_event()
            )  # first: what changes later is an event
            self._look_at_all()
            return
        left_s = LONGEST_BLOCK_S if ends_at is None else max(0.0, ends_at - time.monotonic())
        self._seen, changes = self._store.streams.changes(self._seen, min(left_s, LONGEST_BLOCK_S))
        self._take_in(changes)
        if not changes or time.monotonic() - self._looked_at > LOOK_S:
            self._look_at_all()
        if self._left and not changes:
            self._check()

    def _look_at_all(self) -> None:
        records = {record.id: record for record in self._store.jobs.get_many(self._left)}
        for job_id in list(self._left):
            record = records.get(job_id)
            if record is None:
                del self._left[job_id]
            elif self._is_enough(record.status):
                self._note(record)
        self._looked_at = time.monotonic()

    def _take_in(self, changes: Sequence[Change]) -> None:
        """Takes each job as it was when it first came so far, whatever has become of it since."""
        enough = {change.job: change for change in reversed(changes) if self._is_enough(change.status)}
        for record in self._store.jobs.get_many(job_id for job_id in enough if job_id in self._left):
            change = enough[record.id]
            self._note(replace(record, status=change.status, outcome=change.outcome, reason=change.reason))

    def _is_enough(self, status: Status) -> bool:
        return _ORDER.index(status) >= _ORDER.index(self._until)

    def _note(self, record: JobRecord) -> None:
        del self._left[record.id]
        self._reached[record.id] = record
        self._tell(record)

    def _what_is_left(self) -> str:
        if len(self._wanted) == 1:
            return f"{self._wanted[0]} is"
        return f"{len(self._left)} of {len(self._wanted)} jobs are"
