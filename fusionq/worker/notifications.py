"""Sends what somebody is to be told, beside everything else that a worker does."""

from __future__ import annotations

import logging
import threading

from fusionq.errors import FusionqError, NotFoundError, StoreUnavailableError
from fusionq.spec.load import parse_job
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.store.notices import Notice
from fusionq.store.store import Store
from fusionq.worker.notification_delivery import announce

log = logging.getLogger("fusionq.worker")

HOLD_S = 60.0  # whoever took a notice has so long to send it, before another tries
BACKOFF_S = (10.0, 60.0, 300.0, 1800.0)  # between tries; after the last one it is given up
PARTING_S = 10.0


class Notifier:
    """A thread that lives while there is something to send."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_wanted = False

    def see_to_it(self) -> None:
        """Begin to send where something is due. Raises StoreUnavailableError."""
        if self._store.notices.has_due():
            self.begin()

    def begin(self) -> None:
        """Something may be due."""
        with self._lock:
            self._is_wanted = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="notices", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """The worker leaves: what it began is sent; the rest another worker finds."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(PARTING_S)

    def _send_all(self) -> None:
        while self._goes_on():
            try:
                while notice := self._store.notices.take(HOLD_S):
                    self._send(notice)
            except StoreUnavailableError as error:
                log.debug("notices: %s; the beat tries again", error)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._is_wanted:
                self._thread = None
                return False
            self._is_wanted = False
            return True

    def _send(self, notice: Notice) -> None:
        notices = self._store.notices
        try:
            record, url = self._read(notice)
            announce(url, notice, record)
        except (NotFoundError, IndexError):  # removed meanwhile
            notices.done(notice)
        except StoreUnavailableError:
            raise
        except FusionqError as error:
            self._put_off(notice, str(error))
        except Exception as error:  # of a library that sends it; its words may hold the address
            self._put_off(notice, type(error).__name__)
        else:
            notices.done(notice)

    def _read(self, notice: Notice) -> tuple[JobRecord | SweepRecord, str]:
        """Raises NotFoundError."""
        store, job_id = self._store, notice.job_id
        is_sweep = store.sweeps.exists(job_id)
        record = store.sweeps.get(job_id) if is_sweep else store.jobs.get(job_id)
        return record, parse_job(store.jobs.spec(job_id)).notify[notice.target].url

    def _put_off(self, notice: Notice, why: str) -> None:
        words = f"could not tell of {notice.event}: {why}"
        log.warning("%s: %s", notice.job_id, words)
        if notice.tries < len(BACKOFF_S):
            self._store.notices.again(notice, BACKOFF_S[notice.tries])
            return
        if not self._store.sweeps.exists(notice.job_id):
            self._store.jobs.note_warning(notice.job_id, words)
        self._store.notices.done(notice)
