"""Where a job is (`Status`), how it ended (`Outcome`), and the moves that are legal between them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a job is."""

    WAITING = "waiting"  # for a time to come, its turn in a sweep, the jobs before it, or whoever holds it
    QUEUED = "queued"
    ASSIGNED = "assigned"  # to a worker that has not started it yet
    RUNNING = "running"
    FINISHED = "finished"


class Outcome(StrEnum):
    """How a finished job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


LEGAL_MOVES: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.QUEUED, Status.FINISHED}),
    Status.QUEUED: frozenset({Status.ASSIGNED, Status.WAITING, Status.FINISHED}),
    Status.ASSIGNED: frozenset({Status.RUNNING, Status.QUEUED, Status.WAITING, Status.FINISHED}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.WAITING, Status.FINISHED}),
    Status.FINISHED: frozenset(),
}

FIRST_MOVES: dict[str, frozenset[Status]] = {"": frozenset({Status.QUEUED, Status.WAITING})}
"""How a job comes into being; only the scripts that submit make these."""

RETRY_MOVES = {Status.FINISHED: frozenset({Status.QUEUED, Status.WAITING})}
"""How a job that has ended begins again; only the scripts that retry make these."""

EXIT_CODES: dict[Outcome, int] = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 1,
    Outcome.CANCELLED: 4,
    Outcome.TIMED_OUT: 5,
}
EXIT_DETACHED = 130
