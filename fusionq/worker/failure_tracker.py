"""A worker on which jobs fail one after the other, which do well elsewhere, is itself out of order.

Three different jobs in a row that fail within seconds make it suspect: where another worker can take its
jobs, it takes only one a minute. Once a job succeeds elsewhere the case is clear: it takes nothing for a
while, and its victims go back to their queues. Where these fail elsewhere, too, it was not to blame, and
goes on. After its rest it is on probation: one more such failure makes it suspect again, and its next
rest is twice as long; a job that does well ends the matter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fusionq.spec.failures import NON_FINITE_LOSS, SPEC_ERROR

WITHIN_S = 10.0  # a job that fails so soon after its start fell; a later failure says nothing of the worker
FALLS = 3  # different jobs in a row
SUSPECT_REST_S = 60.0
FIRST_REST_S = 600.0
MOST_REST_S = 6 * 3600.0
MOST_REMEMBERED = 1000

_OF_THE_JOB = (SPEC_ERROR, NON_FINITE_LOSS)  # the same on every machine


@dataclass(frozen=True)
class Fall:
    """A job that failed here within seconds. `work` is the same for trials of one sweep."""

    job_id: str
    attempt: int
    work: str
    failure: str
    at: float  # when it was started, by Redis's clock


class Health:
    """What the jobs of this worker say of it. Those that end meanwhile wait while somebody judges by it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.falls: list[Fall] = []
        self.victims: list[Fall] = []  # what it rests for
        self.rest_s = FIRST_REST_S  # how long it is to rest once the case is clear
        self.is_clear = False
        self._needed = FALLS
        self._was_needed = FALLS  # when the case became clear
        self._rests_until: float | None = None

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Judge in peace: nothing changes but by the thread that does, and no two do at once."""
        with self._lock:
            yield

    @property
    def is_resting(self) -> bool:
        return self._rests_until is not None

    @property
    def has_rested(self) -> bool:
        return self._rests_until is not None and time.monotonic() > self._rests_until

    @property
    def is_suspect(self) -> bool:
        return _differ(self.falls) >= self._needed

    def is_excused(self, failed_elsewhere: Collection[str]) -> bool:
        """Whether too little is left of the case without these of its victims."""
        left = [fall for fall in self.victims if fall.job_id not in failed_elsewhere]
        return self.is_clear and _differ(left) < self._was_needed

    def note_failure(self, fall: Fall, took_s: float) -> None:
        if fall.failure in _OF_THE_JOB:
            return
        with self._lock:
            self.falls = [*self.falls, fall][-MOST_REMEMBERED:] if took_s <= WITHIN_S else []

    def note_success(self) -> None:
        with self._lock:
            self.falls = []
            self._needed = FALLS
            self.rest_s = FIRST_REST_S

    def wait_and_see(self) -> None:
        """Rest a little: the case is not clear."""
        self._rests_until = time.monotonic() + SUSPECT_REST_S

    def rest(self) -> None:
        """The case is clear: rest for `rest_s`."""
        self._rests_until = time.monotonic() + self.rest_s
        self.rest_s = min(2 * self.rest_s, MOST_REST_S)
        self.is_clear = True
        self.victims, self.falls = self.falls, []
        self._was_needed, self._needed = self._needed, 1

    def end_rest(self) -> None:
        self._rests_until = None
        self.is_clear = False


def _differ(falls: list[Fall]) -> int:
    return len({fall.work for fall in falls})
