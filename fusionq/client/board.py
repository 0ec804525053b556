"""All that is going on at this moment, kept up to date by the stream of events."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
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


class Board:
    """The jobs that matter now, the workers, and one job that is chosen, with its points and its output.

    One thread calls `follow` again and again; another may `choose` and read meanwhile.
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
        self.wanted = ""  # what the name, the id or the state of a shown job holds
        self.rows: list[JobRecord] = []
        self.reasons: dict[str, str] = {}
        self.workers: list[WorkerRecord] = []
        self.tally: dict[str, int] = {}
        self.chosen: JobRecord | None = None
        self.output = ""
        self.points: list[dict[str, Any]] = []
        if job_id:
            self._turn_to(store.jobs.get(job_id))
        self._read_all()

    def follow(self, block_s: float = PROGRESS_S) -> None:
        """Wait until something changes, but no longer than this. Raises StoreUnavailableError."""
        with self._lock:
            job_id = self.chosen.id if self.chosen else ""
            cursors = {**self._events, **self._own}
        news = self._store.streams.follow(job_id, cursors, block_s)
        with self._lock:
            self._events = {keys.EVENTS: news.cursors[keys.EVENTS]}
            if self.chosen and self.chosen.id == job_id:  # else somebody chose another one meanwhile
                self._take_in(news)
            if news.changed or time.monotonic() - self._workers_at > WORKERS_S:
                self._read_all()
            elif time.monotonic() - self._progress_at > PROGRESS_S:
                self._read_progress()

    def choose(self, step: int) -> None:
        """Turn to the next job, or the one before. Raises StoreUnavailableError."""
        with self._lock:
            ids = [row.id for row in self.rows]
            if not ids:
                return
            at = ids.index(self.chosen.id) if self.chosen and self.chosen.id in ids else -1
            self._is_pinned = True
            self._turn_to(self.rows[min(max(0, at + step), len(ids) - 1)])

    def filter_by(self, wanted: str) -> None:
        """Show only the jobs whose name, id or state holds this text. Raises StoreUnavailableError."""
        with self._lock:
            if wanted != self.wanted:
                self.wanted = wanted
                self._read_all()

    def _is_wanted(self, record: JobRecord) -> bool:
        wanted = self.wanted.lower()
        return any(wanted in text.lower() for text in (record.name, record.id, record.state_word))

    @property
    def curves(self) -> Metrics:
        """What the chosen job measured by epoch, or within its first one."""
        by_epoch = Metrics.of_points(self.points)
        return by_epoch if len(by_epoch) > 1 else Metrics.within_epochs(self.points) or by_epoch

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
        self.rows = [row for row in (*active, *queued, *waiting, *ended) if self._is_wanted(row)]
        self.reasons = why_each(store, [record.id for record in queued]) if queued else {}
        self.workers = store.workers.all()
        self.tally = store.queues.tally()
        self._workers_at = self._progress_at = time.monotonic()
        self._choose_again(active)

    def _read_progress(self) -> None:
        """Of what runs, and of the chosen job."""
        ids = {row.id for row in self.rows if row.status in (Status.ASSIGNED, Status.RUNNING)}
        fresh = {record.id: record for record in self._store.jobs.get_many(ids)}
        self.rows = [fresh.get(row.id, row) for row in self.rows]
        if self.chosen:
            self.chosen = fresh.get(self.chosen.id, self.chosen)
        self._progress_at = time.monotonic()

    def _choose_again(self, active: list[JobRecord]) -> None:
        """The chosen job as it is now; where nobody chose one, the one that was started last."""
        if not self._is_pinned and self.rows:
            newest = active[-1] if active else self.rows[0]
            if self.chosen is None or self.chosen.id != newest.id:
                self._turn_to(newest)
        if self.chosen:
            try:
                self.chosen = self._store.jobs.get(self.chosen.id)
            except NotFoundError:  # removed meanwhile: it stays on the board as it was
                pass

    def _turn_to(self, record: JobRecord) -> None:
        self.chosen, self.output, self.points, self._once = record, "", [], Once()
        self._take_in(self._store.streams.recent(record.id, RECENT_CHUNKS))

    def _take_in(self, news: News) -> None:
        self._own = _but_events(news.cursors)
        said = "".join(chunk.text for chunk in self._once.of(news.chunks))
        self.output = (self.output + said)[-MOST_OUTPUT:]
        self.points += news.points


def _but_events(cursors: Mapping[str, str]) -> dict[str, str]:
    return {stream: cursor for stream, cursor in cursors.items() if stream != keys.EVENTS}
