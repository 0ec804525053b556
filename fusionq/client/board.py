"""All that is going on at this moment, kept up to date by the stream of events."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fusionq.client.follow import Once
from fusionq.client.metrics import Metrics
from fusionq.errors import NotFoundError
from fusionq.queue.reasons import why_each
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.store.streams import News
from fusionq.store.workers import WorkerRecord

MOST_QUEUED = 50
MOST_NEWEST = 100
RECENT_CHUNKS = 50
MOST_OUTPUT = 50_000  # characters
PROGRESS_S = 1.0  # how often what runs is looked at, of which no event tells
WORKERS_S = 5.0  # and the workers, whose heartbeats tell no event either


@dataclass(frozen=True)
class Snapshot:
    """A board at one moment; nothing of it changes any more."""

    wanted: str  # what the name, the id or the state of a shown job holds
    rows: list[JobRecord]
    reasons: dict[str, str]
    workers: list[WorkerRecord]
    tally: dict[str, int]
    chosen: JobRecord | None
    output: str
    points: list[dict[str, Any]]

    @cached_property
    def curves(self) -> Metrics:
        """What the chosen job measured by epoch, or within its first one."""
        by_epoch = Metrics.of_points(self.points)
        return by_epoch if len(by_epoch) > 1 else Metrics.within_epochs(self.points) or by_epoch


class Board:
    """The jobs that matter now, the workers, and one job that is chosen, with its points and its output.

    One thread calls `follow` again and again; another may `choose` meanwhile, and read `snapshot`, which
    never waits for Redis.
    """

    def __init__(self, store: Store, job_id: str = "") -> None:
        """Without a job the one that was started last is chosen, until somebody chooses.

        Raises NotFoundError, StoreUnavailableError.
        """
        self._store = store
        self._lock = threading.Lock()
        self._is_pinned = bool(job_id)
        self._events = {keys.EVENTS: store.streams.last_event()}
        self._own: Mapping[str, str] = {}
        self._once = Once()
        self._progress_at = self._workers_at = 0.0
        self._wanted = ""
        self._rows: list[JobRecord] = []
        self._reasons: dict[str, str] = {}
        self._workers: list[WorkerRecord] = []
        self._tally: dict[str, int] = {}
        self._chosen: JobRecord | None = None
        self._output = ""
        self._points: list[dict[str, Any]] = []
        if job_id:
            self._turn_to(store.jobs.get(job_id))
        self._read_all()
        self._publish()

    def snapshot(self) -> Snapshot:
        """Returns the board as it is now."""
        return self._snapshot

    def follow(self, block_s: float = PROGRESS_S) -> None:
        """Wait until something changes, but no longer than this. Raises StoreUnavailableError."""
        with self._lock:
            job_id = self._chosen.id if self._chosen else ""
            cursors = {**self._events, **self._own}
        news = self._store.streams.follow(job_id, cursors, block_s)
        with self._lock:
            self._events = {keys.EVENTS: news.cursors[keys.EVENTS]}
            if self._chosen and self._chosen.id == job_id:  # else somebody chose another one meanwhile
                self._take_in(news)
            if news.changed or time.monotonic() - self._workers_at > WORKERS_S:
                self._read_all()
            elif time.monotonic() - self._progress_at > PROGRESS_S:
                self._read_progress()
            self._publish()

    def choose(self, step: int) -> None:
        """Turn to the next job, or the one before. Raises StoreUnavailableError."""
        with self._lock:
            ids = [row.id for row in self._rows]
            if not ids:
                return
            at = ids.index(self._chosen.id) if self._chosen and self._chosen.id in ids else -1
            self._is_pinned = True
            self._turn_to(self._rows[min(max(0, at + step), len(ids) - 1)])
            self._publish()

    def filter_by(self, wanted: str) -> None:
        """Show only the jobs whose name, id or state holds this text. Raises StoreUnavailableError."""
        with self._lock:
            if wanted != self._wanted:
                self._wanted = wanted
                self._read_all()
                self._publish()

    def _is_wanted(self, record: JobRecord) -> bool:
        wanted = self._wanted.lower()
        return any(wanted in text.lower() for text in (record.name, record.id, record.state_word))

    def _publish(self) -> None:
        """Shows what has changed, all of it at once."""
        self._snapshot = Snapshot(
            self._wanted,
            self._rows,
            self._reasons,
            self._workers,
            self._tally,
            self._chosen,
            self._output,
            self._points,
        )

    # --- what is read ------------------------------------------------------------------------------

    def _read_all(self) -> None:
        store = self._store
        active, queued = store.jobs.active(), store.jobs.pending(MOST_QUEUED)[:MOST_QUEUED]
        known = {record.id for record in (*active, *queued)}
        others = [record for record in store.jobs.newest(MOST_NEWEST) if record.id not in known]
        waiting = [record for record in others if not record.is_finished]
        ended = sorted(
            (record for record in others if record.is_finished), key=lambda record: -record.finished_at
        )
        self._rows = [row for row in (*active, *queued, *waiting, *ended) if self._is_wanted(row)]
        self._reasons = why_each(store, [record.id for record in queued]) if queued else {}
        self._workers = store.workers.all()
        self._tally = store.queues.tally()
        self._workers_at = self._progress_at = time.monotonic()
        self._choose_again(active)

    def _read_progress(self) -> None:
        """Of what runs, and of the chosen job."""
        ids = {row.id for row in self._rows if row.status in (Status.ASSIGNED, Status.RUNNING)}
        fresh = {record.id: record for record in self._store.jobs.get_many(ids)}
        self._rows = [fresh.get(row.id, row) for row in self._rows]
        if self._chosen:
            self._chosen = fresh.get(self._chosen.id, self._chosen)
        self._progress_at = time.monotonic()

    def _choose_again(self, active: list[JobRecord]) -> None:
        """The chosen job as it is now; where nobody chose one, the one that was started last."""
        if not self._is_pinned and self._rows:
            newest = active[-1] if active else self._rows[0]
            if self._chosen is None or self._chosen.id != newest.id:
                self._turn_to(newest)
        if self._chosen:
            try:
                self._chosen = self._store.jobs.get(self._chosen.id)
            except NotFoundError:  # removed meanwhile: it stays on the board as it was
                pass

    def _turn_to(self, record: JobRecord) -> None:
        self._chosen, self._output, self._points, self._once = record, "", [], Once()
        self._take_in(self._store.streams.recent(record.id, RECENT_CHUNKS))

    def _take_in(self, news: News) -> None:
        self._own = _but_events(news.cursors)
        said = "".join(chunk.text for chunk in self._once.of(news.chunks))
        self._output = (self._output + said)[-MOST_OUTPUT:]
        self._points = [*self._points, *news.points]  # a new list: the old one may be in a snapshot


def _but_events(cursors: Mapping[str, str]) -> dict[str, str]:
    return {stream: cursor for stream, cursor in cursors.items() if stream != keys.EVENTS}
