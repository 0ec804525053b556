"""Celery's result backend as a view: `AsyncResult(job_id)` and Flower see what the records say."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery, states

from fusionq.spec.states import Outcome

log = logging.getLogger("fusionq.worker")

INTERVAL_S = 1.0
PROGRESS = "PROGRESS"

_STATES = {
    Outcome.SUCCEEDED: states.SUCCESS,
    Outcome.FAILED: "FAILED",
    Outcome.CANCELLED: "CANCELLED",
    Outcome.TIMED_OUT: "TIMED_OUT",
}
# Celery's own FAILURE and REVOKED stand for exceptions that it raises in the reader; ours carry plain data.


class ResultView:
    """Writes under the id of one job. It is never the truth, so what goes wrong here is only logged."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._next_at = 0.0

    def progress(self, job_id: str, progress: dict[str, Any]) -> None:
        """The latest point, at most once a second."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + INTERVAL_S
            self._store(job_id, progress, PROGRESS)

    def end(self, job_id: str, outcome: Outcome, reason: str, result: dict[str, Any]) -> None:
        self._store(job_id, {"outcome": str(outcome), "reason": reason, **result}, _STATES[outcome])

    def _store(self, job_id: str, value: dict[str, Any], state: str) -> None:
        try:
            self._app.backend.store_result(job_id, value, state)
        except Exception as error:  # a view that cannot be written harms nobody
            log.debug("result of %s: %s", job_id, error)
