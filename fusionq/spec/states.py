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


Moves = dict[Status, dict[Status, str]]
"""From where to where, and what makes the move, in a few words."""

LEGAL_MOVES: Moves = {
    Status.WAITING: {
        Status.QUEUED: "nothing keeps it back any more",
        Status.FINISHED: "cancelled, or a job before it failed",
    },
    Status.QUEUED: {
        Status.ASSIGNED: "the planner found room",
        Status.WAITING: "held, or edited to start later",
        Status.FINISHED: "cancelled, or waited too long",
    },
    Status.ASSIGNED: {
        Status.RUNNING: "its worker starts it",
        Status.QUEUED: "not started in time",
        Status.WAITING: "held",
        Status.FINISHED: "cancelled",
    },
    Status.RUNNING: {
        Status.QUEUED: "lost, failed or made room, and goes on later",
        Status.WAITING: "held, or tried again later",
        Status.FINISHED: "ended, for good or bad",
    },
    Status.FINISHED: {},
}

FIRST_MOVES: dict[str, dict[Status, str]] = {
    "": {Status.QUEUED: "submit", Status.WAITING: "submit, and something keeps it back"}
}
"""How a job comes into being; only the scripts that submit make these."""

RECOVERY_MOVES: dict[str, dict[Status, str]] = {"": {**FIRST_MOVES[""], Status.FINISHED: "recovered"}}
"""How a job comes back that Redis has lost; only the script that recovers makes these."""

RETRY_MOVES: Moves = {
    Status.FINISHED: {Status.QUEUED: "retry", Status.WAITING: "retry, and something keeps it back"}
}
"""How a job that has ended begins again; only the scripts that retry make these."""

EXIT_CODES: dict[Outcome, int] = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 1,
    Outcome.CANCELLED: 4,
    Outcome.TIMED_OUT: 5,
}
EXIT_DETACHED = 130
EXIT_TIMEOUT = 124
"""Of who waited for jobs and gave up, as timeout(1) has it."""
