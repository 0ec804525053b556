"""What the job processes themselves say of when they trained: one line before and one after each batch.

Each line is one write to a file opened for appending, so the order of the lines is the order of the events,
whoever wrote them. The clock is that of the machine, the same for all processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# A trainer as a user would write one. It is slow on purpose, so that a fault can come between two batches.
TRAINER = """
import os
import time

import fusionq as tf


class Journaled(tf.StandardModel):
    def __init__(self, model, journal, seconds):
        super().__init__(model)
        self.journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.seconds = seconds

    def note(self, what):
        job, attempt = os.environ["FUSIONQ_JOB"], os.environ["FUSIONQ_ATTEMPT"]
        line = f"{job} {attempt} {os.getpid()} {what} {time.clock_gettime(time.CLOCK_MONOTONIC):.6f}\\n"
        os.write(self.journal, line.encode())

    def __train_func__(self, *arguments):
        self.note("begin")
        time.sleep(self.seconds)
        super().__train_func__(*arguments)
        self.note("end")
"""


class Line(NamedTuple):
    job_id: str
    attempt: int
    pid: int
    what: str
    at: float


def now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._lines: list[Line] = []

    def lines(self) -> list[Line]:
        """All lines so far."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            self._lines += map(_line, whole.decode().splitlines())
        return self._lines

    def of(self, job_id: str) -> Iterator[Line]:
        return (line for line in self.lines() if line.job_id == job_id)

    def latest_attempt(self, job_id: str) -> int:
        """The newest attempt that has trained; 0 where none has."""
        return max(self.attempts_of(job_id), default=0)

    def attempts_of(self, job_id: str) -> list[int]:
        """Those that have trained, in order."""
        return sorted({line.attempt for line in self.of(job_id)})


def _line(text: str) -> Line:
    job_id, attempt, pid, what, at = text.split()
    return Line(job_id, int(attempt), int(pid), what, float(at))
