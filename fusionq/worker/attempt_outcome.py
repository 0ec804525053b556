"""How an attempt ended, and what becomes of its job: a pure function of what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fusionq.spec.failures import WORKER_LOST
from fusionq.spec.job import JobSpec
from fusionq.spec.retrying import delay_before_retry, tried
from fusionq.spec.states import Outcome
from fusionq.spec.units import format_duration
from fusionq.worker.protocol import EXIT_DONE, EXIT_STOPPED, of_exit_code
from fusionq.worker.running_attempts import CANCEL, LOST, REQUEUE, SHUTDOWN, TIMEOUT


@dataclass(frozen=True)
class Seen:
    """What was seen of an attempt. `exit_code` is negative for a signal, None where nobody knows it."""

    exit_code: int | None
    stop_reason: str = ""
    has_begun: bool = True
    was_killed: bool = False
    was_hurried: bool = False  # it was not to take the time to save its state
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    losses: int = 0
    losses_by: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ending:
    """The outcome of the job, or None: back to the queue. Not `is_ours`: it was taken from us."""

    outcome: Outcome | None
    reason: str
    result: dict[str, Any] = field(default_factory=dict)
    failure: str = ""  # the class of what failed, if anything did; back in the queue it counts as a loss
    delay_s: float = 0.0
    is_ours: bool = True


def judge(seen: Seen, spec: JobSpec) -> Ending:
    """What becomes of the job."""
    if seen.stop_reason == LOST:
        return Ending(None, "its lease was lost", is_ours=False)
    # What goes wrong once the result is told, as in a handler of atexit, is shown in the log alone.
    if seen.result is not None and (seen.exit_code == EXIT_DONE or seen.error is None):
        return Ending(Outcome.SUCCEEDED, "", seen.result)
    if seen.stop_reason and (seen.exit_code == EXIT_STOPPED or seen.was_killed or not seen.has_begun):
        return _after_stop(seen, spec)
    ending = _after_failure(seen, spec)
    if seen.stop_reason == CANCEL:  # what was asked for holds, however it came about
        return Ending(Outcome.CANCELLED, f"cancelled by the user; {ending.reason}")
    return ending


def _after_failure(seen: Seen, spec: JobSpec) -> Ending:
    """It failed unasked: a lost attempt, as long as it may be tried again."""
    failure, reason = _failure(seen)
    delay_s = delay_before_retry(failure, seen.losses, seen.losses_by, spec.retry)
    if delay_s is None:
        return Ending(Outcome.FAILED, reason + tried(seen.losses), failure=failure)
    return Ending(None, reason, failure=failure, delay_s=delay_s)


def _after_stop(seen: Seen, spec: JobSpec) -> Ending:
    saved = _saved(seen, spec)
    if seen.stop_reason == CANCEL:
        return Ending(Outcome.CANCELLED, f"cancelled by the user; {saved}")
    if seen.stop_reason == TIMEOUT:
        return Ending(
            Outcome.TIMED_OUT, f"ran longer than its timeout of {format_duration(spec.timeout or 0)}; {saved}"
        )
    if seen.stop_reason == REQUEUE:
        return Ending(None, f"it was asked to make room; {saved}")
    assert seen.stop_reason == SHUTDOWN
    return Ending(None, f"its worker was shut down; {saved}")


def _saved(seen: Seen, spec: JobSpec) -> str:
    """What became of its state."""
    if not seen.has_begun:
        return "it had not begun"
    if not seen.was_killed:
        return "its state is saved"
    if seen.was_hurried:
        return "killed at once, what it did since its last checkpoint is lost"
    return f"killed after {format_duration(spec.grace)} of grace"


def _failure(seen: Seen) -> tuple[str, str]:
    """The class of the failure, and the reason in words."""
    code = seen.exit_code
    if seen.error is not None:
        return seen.error["class"], seen.error["reason"]
    if code is None:
        return WORKER_LOST, "its process was lost together with the fork server"
    if code == EXIT_STOPPED:
        return WORKER_LOST, "its process was told to stop from outside"
    return of_exit_code(code)
