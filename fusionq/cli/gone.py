"""Waiting until several jobs have ended, together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fusionq.client.patience import Patience
from fusionq.errors import StateError, StoreUnavailableError
from fusionq.spec.record import JobRecord
from fusionq.store import streams
from fusionq.store.store import Store


def await_ends(store: Store, job_ids: Sequence[str], seen: str, tell: Callable[[JobRecord], None]) -> None:
    """Wait until each of the jobs has ended since the event `seen`, and tell of each as it does.

    Raises FusionqError where no worker is left that could end them, and StoreUnavailableError after a minute
    without Redis.
    """
    left = dict.fromkeys(job_ids)
    patience = Patience()
    while left:
        try:
            seen = _look(store, left, seen, tell)
            patience.note_word()
        except StoreUnavailableError as error:
            patience.bear(error)


def _look(store: Store, left: dict[str, None], seen: str, tell: Callable[[JobRecord], None]) -> str:
    """One wait for news; takes those that ended out of `left`. Returns the newest event that was seen."""
    seen, ended = store.streams.ends(seen, streams.LONGEST_BLOCK_S)
    is_silent = not ended
    for record in store.jobs.get_many(list(left) if is_silent else [job for job in ended if job in left]):
        # By the event, too: somebody may have queued it again since.
        if record.is_finished or record.id in ended:
            left.pop(record.id)
            tell(record)
    if is_silent and left and not store.workers.alive():
        raise StateError(
            f"{', '.join(left)}: the worker is gone, and no other is there to find that out",
            hint="they end as soon as one starts: fusionq worker",
        )
    return seen
