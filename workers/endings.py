"""How an attempt ended, and what becomes of its job: a pure function of what was seen."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any

from fusionq.spec.failures import backoff_s, may_retry
from fusionq.spec.job import JobSpec
from fusionq.spec.states import Outcome
from fusionq.spec.units import format_duration
from workers.running import CANCEL, LOST, REQUEUE, SHUTDOWN, TIMEOUT
from workers.wire import EXIT_DONE, EXIT_STOPPED


@dataclass(frozen=True)
class Seen:
    """What was seen of an attempt. `exit_code` is negative for a signal, None where nobody knows it."""

    exit_code: int | None
    stop_reason: str = ""
    was_killed: bool = False
    was_hurried: bool = False  # it was not to take the time to save its state
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    losses: int = 0


@dataclass(frozen=True)
class Ending:
    """The outcome of the job, or None: back to the queue. Not `is_ours`: it was taken from us."""

    outcome: Outcome | None
    reason: str
    result: dict[str, Any] = field(default_factory=dict)
    counts_as_loss: bool = False
    delay_s: float = 0.0
    is_ours: bool = True


def judge(seen: Seen, spec: JobSpec) -> Ending:
    """What becomes of the job."""
    if seen.stop_reason == LOST:
        return Ending(None, "its lease was lost", is_ours=False)
    if seen.exit_code == EXIT_DONE and seen.result is not None:
        return Ending(Outcome.SUCCEEDED, "", seen.result)
    if seen.stop_reason and (seen.exit_code == EXIT_STOPPED or seen.was_killed):
        return _after_stop(seen, spec)
    ending = _after_failure(seen, spec)
    if seen.stop_reason == CANCEL:  # what was asked for holds, however it came about
        return Ending(Outcome.CANCELLED, f"cancelled by the user; {ending.reason}")
    return ending


def _after_failure(seen: Seen, spec: JobSpec) -> Ending:
    """It failed unasked: a lost attempt, as long as it may be tried again."""
    failure, reason = _failure(seen)
    if may_retry(failure, seen.losses, spec.retry):
        return Ending(None, reason, counts_as_loss=True, delay_s=backoff_s(spec.retry, seen.losses))
    if failure in spec.retry.on:
        reason = f"{reason}; it was tried {seen.losses + 1} times"
    return Ending(Outcome.FAILED, reason)


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
        return "worker_lost", "its process was lost together with the fork server"
    if code == EXIT_STOPPED:
        return "worker_lost", "its process was told to stop from outside"
    if code >= 0:
        return "error", f"its process ended with exit code {code} and no result"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if code == -signal.SIGKILL:
        # The kernel's way to end a process when memory runs out; it leaves no other trace that we may read.
        return "oom", f"its process was killed ({name}), by somebody or for lack of memory"
    return "crash", f"its process crashed ({name})"
