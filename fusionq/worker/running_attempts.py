"""The attempts that run on this worker now, and what each is asked to stop for."""

from __future__ import annotations

import threading
import time

from fusionq.spec.stops import CANCEL, CANCEL_NOW, REQUEUE
from fusionq.worker.job_commands import JobCommands

TIMEOUT = "timeout"
SHUTDOWN = "shutdown"
LOST = "lost"

STUCK_S = 300.0  # no single step of a supervisor takes so long, but on a disk or a server that hangs

# Where two reasons meet, the one that says more about what becomes of the job wins.
_RANK = {"": 0, REQUEUE: 1, SHUTDOWN: 2, TIMEOUT: 3, CANCEL: 4, LOST: 5}


class Attempt:
    """One attempt under supervision. Other threads ask it to stop; its own thread obeys."""

    def __init__(self, job_id: str, number: int) -> None:
        self.job_id = job_id
        self.number = number
        self.stop_reason = ""
        self.hurry = False
        self.gpus: tuple[int, ...] = ()
        self.commands = JobCommands()
        self.held_until = (
            0.0  # up to when its lease is sure to hold, on the clock of `fusionq.worker.lease_guard`
        )
        self._alive_at = time.monotonic()

    def note_alive(self) -> None:
        """Its supervisor is at work."""
        self._alive_at = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """Whether its supervisor has not been seen at work for so long that it may never come back."""
        return time.monotonic() - self._alive_at > STUCK_S

    def obey(self, word: str) -> None:
        """What a word in the record or on the channel asks for; '' asks for nothing."""
        if word:
            self.ask_to_stop(CANCEL if word == CANCEL_NOW else word, hurry=word == CANCEL_NOW)

    def ask_to_stop(self, reason: str, *, hurry: bool = False) -> None:
        if _RANK[reason] > _RANK[self.stop_reason]:
            self.stop_reason = reason
        self.hurry = self.hurry or hurry or reason == LOST


class Running:
    """All attempts of a worker, for its heartbeat and for its shutdown."""

    def __init__(self) -> None:
        # The handler of a signal asks all to stop, in whatever thread and wherever that is.
        self._lock = threading.RLock()
        self._attempts: dict[str, Attempt] = {}

    def add(self, attempt: Attempt) -> bool:
        """Returns whether this attempt is new here; a message that came twice is not to start it twice."""
        with self._lock:
            known = self._attempts.get(attempt.job_id)
            if known is not None and known.number == attempt.number:
                return False
            self._attempts[attempt.job_id] = attempt
            return True

    def remove(self, attempt: Attempt) -> None:
        with self._lock:
            if self._attempts.get(attempt.job_id) is attempt:
                del self._attempts[attempt.job_id]

    def find(self, job_id: str) -> Attempt | None:
        with self._lock:
            return self._attempts.get(job_id)

    def all(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts.values())

    def obey(self, job_id: str, word: str) -> None:
        for attempt in self.all():
            if attempt.job_id == job_id:
                attempt.obey(word)

    def ask_all_to_stop(self, reason: str, *, hurry: bool = False) -> None:
        for attempt in self.all():
            attempt.ask_to_stop(reason, hurry=hurry)
