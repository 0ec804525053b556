"""Following one job to its end: its output, its progress, its changes of state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.record import JobRecord
from fusionq.store import keys
from fusionq.store.connection import LONGEST_BLOCK_S
from fusionq.store.store import Store
from fusionq.store.streams import BEGINNING, LogChunk

AT_ONCE_S = 0.001


class Once:
    """Lets each piece of output through once: a worker that heard no answer has sent a piece again.

    `missed` says what is missing before the piece that was let through last, as two offsets: the stream keeps
    the latest output only, and a reader may be slower than the job.
    """

    def __init__(self) -> None:
        self._told = (0, 0)
        self.missed: tuple[int, int] | None = None

    def of(self, chunks: Iterable[LogChunk]) -> Iterator[LogChunk]:
        """The pieces that are new. Offsets count from the beginning where an attempt has its own machine."""
        for chunk in chunks:
            if (chunk.attempt, chunk.end) > self._told:
                self.missed = (self._told[1], chunk.start) if chunk.start > self._told[1] else None
                self._told = (chunk.attempt, chunk.end)
                yield chunk


class Watcher:
    """Override what you want to hear."""

    def on_text(self, text: str) -> None:
        """The job printed something."""

    def on_chunk(self, chunk: LogChunk) -> None:
        """The same, with where it stands."""
        self.on_text(chunk.text)

    def on_missed(self, record: JobRecord, start: int, end: int) -> None:
        """The output between these offsets is not in the stream (see `fusionq.client.missed_output`)."""

    def on_point(self, point: dict[str, Any]) -> None:
        """Progress, or the end of an epoch."""

    def on_record(self, record: JobRecord) -> None:
        """The job changed its state."""

    def on_outage(self, error: StoreUnavailableError) -> None:
        """The connection is lost; it is tried again."""


def follow(
    store: Store,
    job_id: str,
    watcher: Watcher,
    check: Callable[[], float | None] = lambda: None,
    *,
    log_after: str = BEGINNING,
    once: Once | None = None,
) -> JobRecord:
    """Tell `watcher` everything about a job until it is finished; returns its last record.

    A lost connection is taken up again where it was, without losing or repeating output. `check` is
    called every few seconds at least, and may raise; it may return in how many seconds at most it is to be
    called again. Who has read the output up to a cursor before, `once`,
    goes on behind it. Raises StoreUnavailableError after a minute without Redis.
    """
    return _Follower(store, job_id, watcher, log_after, once or Once()).run(check)


class _Follower:
    def __init__(self, store: Store, job_id: str, watcher: Watcher, log_after: str, once: Once) -> None:
        self._store = store
        self._watcher = watcher
        self._record = store.jobs.get(job_id)
        self._once = once
        self._cursors = {keys.log(job_id): log_after}
        self._patience = Patience()
        self._is_lost = False

    def run(self, check: Callable[[], float | None]) -> JobRecord:
        self._watcher.on_record(self._record)
        while True:
            try:
                is_over = self._look(check())
                self._patience.note_word()
                self._is_lost = False
            except StoreUnavailableError as error:
                self._wait_out(error)
                continue
            if is_over:
                return self._record

    def _look(self, longest_s: float | None) -> bool:
        """Wait for news and tell them. True once the job is finished and has nothing more to say."""
        was_finished = self._record.is_finished
        wait_s = LONGEST_BLOCK_S if longest_s is None else min(longest_s, LONGEST_BLOCK_S)
        block_s = AT_ONCE_S if was_finished else wait_s
        news = self._store.streams.follow(self._record.id, self._cursors, block_s)
        self._cursors = news.cursors
        for chunk in self._once.of(news.chunks):
            if self._once.missed is not None:
                self._watcher.on_missed(self._record, *self._once.missed)
            self._watcher.on_chunk(chunk)
        for point in news.points:
            self._watcher.on_point(point)
        is_silent = not news.chunks and not news.points
        if was_finished:
            return is_silent
        if self._record.id in news.changed or is_silent:
            self._look_at_record()
        return False

    def _look_at_record(self) -> None:
        before, self._record = self._record, self._store.jobs.get(self._record.id)
        if (before.status, before.attempt) != (self._record.status, self._record.attempt):
            self._watcher.on_record(self._record)

    def _wait_out(self, error: StoreUnavailableError) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._watcher.on_outage(error)
        self._patience.bear(error)
