"""Counts the slots of a worker, whose number may change while jobs run."""

from __future__ import annotations

import threading


class Slots:
    """Whoever runs a job holds one. Of fewer than are held, none is free until enough were given back."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._held = 0
        self._changed = threading.Condition()

    def acquire(self, *, timeout_s: float = 0.0) -> bool:
        """Take one. False where none becomes free in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held < self.number, timeout_s):
                return False
            self._held += 1
            return True

    def release(self) -> None:
        with self._changed:
            assert self._held > 0
            self._held -= 1
            self._changed.notify_all()

    def resize(self, number: int) -> None:
        with self._changed:
            self.number = number
            self._changed.notify_all()
