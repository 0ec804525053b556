"""The attempts that run on this worker now, and what each is asked to stop for."""

from __future__ import annotations

import threading

CANCEL = "cancel"
TIMEOUT = "timeout"
SHUTDOWN = "shutdown"
LOST = "lost"

# Where two reasons meet, the one that says more about what becomes of the job wins.
_RANK = {"": 0, SHUTDOWN: 1, TIMEOUT: 2, CANCEL: 3, LOST: 4}


class Attempt:
    """One attempt under supervision. Other threads ask it to stop; its own thread obeys."""

    def __init__(self, job_id: str, number: int) -> None:
        self.job_id = job_id
        self.number = number
        self.stop_reason = ""
        self.hurry = False

    def ask_to_stop(self, reason: str, *, hurry: bool = False) -> None:
        if _RANK[reason] > _RANK[self.stop_reason]:
            self.stop_reason = reason
        self.hurry = self.hurry or hurry or reason == LOST


class Running:
    """All attempts of a worker, for its heartbeat and for its shutdown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[str, Attempt] = {}

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self._attempts[attempt.job_id] = attempt

    def remove(self, attempt: Attempt) -> None:
        with self._lock:
            if self._attempts.get(attempt.job_id) is attempt:
                del self._attempts[attempt.job_id]

    def all(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts.values())

    def ask_to_stop(self, job_id: str, reason: str) -> None:
        for attempt in self.all():
            if attempt.job_id == job_id:
                attempt.ask_to_stop(reason)

    def ask_all_to_stop(self, reason: str, *, hurry: bool = False) -> None:
        for attempt in self.all():
            attempt.ask_to_stop(reason, hurry=hurry)
