"""Waits until jobs have ended, or have come as far as somebody wants them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.connection import LONGEST_BLOCK_S
from fusionq.store.store import Store

_ORDER = tuple(Status)


def wait_for_jobs(
    store: Store,
    job_ids: Iterable[str],
    *,
    until: Status = Status.FINISHED,
    timeout_s: float | None = None,
    tell: Callable[[JobRecord], None] = lambda record: None,
) -> list[JobRecord]:
    """Returns the records of the jobs once each has reached the state `until`, or gone past it.

    Calls `tell` for each when it has. Raises TimeoutError after `timeout_s`, StoreUnavailableError after a
    minute without Redis.
    """
    wanted = list(dict.fromkeys(job_ids))
    left = dict.fromkeys(wanted)
    reached: dict[str, JobRecord] = {}
    ends_at = None if timeout_s is None else time.monotonic() + timeout_s
    patience = Patience()
    while left:
        try:
            seen = store.streams.last_event()  # before the look: what changes after it wakes the wait
            for record in store.jobs.get_many(list(left)):
                if _ORDER.index(record.status) >= _ORDER.index(until):
                    left.pop(record.id)
                    reached[record.id] = record
                    tell(record)
            block_s = LONGEST_BLOCK_S
            if ends_at is not None:
                block_s = min(block_s, ends_at - time.monotonic())
            if left and block_s <= 0:
                raise TimeoutError(f"{len(left)} of {len(wanted)} jobs are not {until} after {timeout_s:g} s")
            if left:
                store.streams.ends(seen, block_s)
            patience.note_word()
        except StoreUnavailableError as error:
            patience.bear(error)
    return [reached[job_id] for job_id in wanted]
