"""How an attempt ended decides what becomes of its job."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from fusionq.spec.failures import counter_of
from fusionq.spec.job import JobSpec
from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.worker.attempt_outcome import Ending, Seen, judge
from fusionq.worker.protocol import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED
from fusionq.worker.running_attempts import CANCEL, LOST, REQUEUE, SHUTDOWN, TIMEOUT
from tests.support import ONE_JOB

RESULT = {"epochs": 3}
ERROR = {"kind": "error", "class": "error", "reason": "ValueError: odd"}
BACK = None  # to the queue


def counts_as_loss(end: Ending) -> bool:
    return end.outcome is None and end.failure != ""


def ending(seen: Seen, **more) -> Ending:
    data = {**from_yaml(ONE_JOB).to_data(), "timeout": 90, "grace": 30, "retry": {"max": 2}, **more}
    return judge(seen, JobSpec.model_validate(data))


@pytest.mark.parametrize(
    ("seen", "outcome", "is_loss", "words"),
    [
        # It came to its end by itself.
        (Seen(EXIT_DONE, result=RESULT), Outcome.SUCCEEDED, False, ""),
        (Seen(EXIT_FAILED, error=ERROR), Outcome.FAILED, False, "ValueError: odd"),
        (Seen(EXIT_DONE), Outcome.FAILED, False, "its process ended with exit code 0 and no result"),
        (Seen(7), Outcome.FAILED, False, "its process ended with exit code 7 and no result"),
        # What it left to its end went wrong, or took too long, after the result was told.
        (Seen(EXIT_FAILED, result=RESULT), Outcome.SUCCEEDED, False, ""),
        (Seen(-signal.SIGKILL, CANCEL, was_killed=True, result=RESULT), Outcome.SUCCEEDED, False, ""),
        (Seen(EXIT_FAILED, result=RESULT, error=ERROR), Outcome.FAILED, False, "ValueError: odd"),
        # It was asked to stop, and did.
        (Seen(EXIT_STOPPED, CANCEL), Outcome.CANCELLED, False, "cancelled by the user; its state is saved"),
        (
            Seen(EXIT_STOPPED, TIMEOUT),
            Outcome.TIMED_OUT,
            False,
            "ran longer than its timeout of 1m 30s; its state is saved",
        ),
        (Seen(EXIT_STOPPED, SHUTDOWN), BACK, False, "its worker was shut down; its state is saved"),
        # It was asked to stop, and did not within its grace.
        (
            Seen(-signal.SIGKILL, CANCEL, was_killed=True),
            Outcome.CANCELLED,
            False,
            "cancelled by the user; killed after 30s of grace",
        ),
        (
            Seen(-signal.SIGKILL, TIMEOUT, was_killed=True),
            Outcome.TIMED_OUT,
            False,
            "ran longer than its timeout of 1m 30s; killed after 30s of grace",
        ),
        (
            Seen(-signal.SIGKILL, SHUTDOWN, was_killed=True),
            BACK,
            False,
            "its worker was shut down; killed after 30s of grace",
        ),
        (
            Seen(None, SHUTDOWN, was_killed=True),
            BACK,
            False,
            "its worker was shut down; killed after 30s of grace",
        ),
        # It was not to take the time.
        (
            Seen(-signal.SIGKILL, SHUTDOWN, was_killed=True, was_hurried=True),
            BACK,
            False,
            "its worker was shut down; killed at once, what it did since its last checkpoint is lost",
        ),
        (
            Seen(-signal.SIGKILL, CANCEL, was_killed=True, was_hurried=True),
            Outcome.CANCELLED,
            False,
            "cancelled by the user; killed at once, what it did since its last checkpoint is lost",
        ),
        (Seen(EXIT_STOPPED, REQUEUE), BACK, False, "it was asked to make room; its state is saved"),
        # It was asked to stop when it had ended already.
        (Seen(EXIT_DONE, CANCEL, result=RESULT), Outcome.SUCCEEDED, False, ""),
        (Seen(EXIT_DONE, TIMEOUT, result=RESULT), Outcome.SUCCEEDED, False, ""),
        (Seen(EXIT_FAILED, SHUTDOWN, error=ERROR), Outcome.FAILED, False, "ValueError: odd"),
        # It died unasked: a lost attempt.
        (
            Seen(-signal.SIGKILL),
            BACK,
            True,
            "its process was killed (SIGKILL), by somebody or for lack of memory",
        ),
        (Seen(-signal.SIGSEGV), BACK, True, "its process crashed (SIGSEGV)"),
        (Seen(-40), BACK, True, "its process crashed (signal 40)"),
        (Seen(EXIT_STOPPED), BACK, True, "its process was told to stop from outside"),
        (Seen(None), BACK, True, "its process was lost together with the fork server"),
        (Seen(-signal.SIGSEGV, SHUTDOWN), BACK, True, "its process crashed (SIGSEGV)"),
        # Once too often.
        (Seen(-signal.SIGSEGV, losses=1), BACK, True, "its process crashed (SIGSEGV)"),
        (
            Seen(-signal.SIGSEGV, losses=2),
            Outcome.FAILED,
            False,
            "its process crashed (SIGSEGV); it was tried 3 times",
        ),
        (
            Seen(None, losses=2),
            Outcome.FAILED,
            False,
            "its process was lost together with the fork server; it was tried 3 times",
        ),
    ],
)
def test_what_was_seen_decides_what_becomes_of_the_job(
    seen: Seen, outcome: Outcome | None, is_loss: bool, words: str
):
    end = ending(seen)
    assert (end.outcome, counts_as_loss(end), end.reason) == (outcome, is_loss, words)
    assert end.is_ours
    assert end.result == (seen.result if end.outcome is Outcome.SUCCEEDED else {})


@pytest.mark.parametrize(
    "seen",
    [
        Seen(-signal.SIGKILL, LOST, was_killed=True),
        Seen(EXIT_STOPPED, LOST),
        Seen(EXIT_DONE, LOST, result=RESULT),
        Seen(EXIT_FAILED, LOST, error=ERROR),
    ],
)
def test_of_a_job_that_was_taken_from_us_we_say_nothing(seen: Seen):
    end = ending(seen)
    assert not end.is_ours
    assert end.outcome is None


def test_a_job_that_wants_no_retry_fails_at_its_first_loss():
    end = ending(Seen(-signal.SIGSEGV), retry={"max": 0})
    assert end.outcome is Outcome.FAILED
    assert end.reason == "its process crashed (SIGSEGV)"


def test_a_shutdown_is_nobodys_loss_however_often_it_happens():
    end = ending(Seen(EXIT_STOPPED, SHUTDOWN, losses=2))
    assert end.outcome is None
    assert not counts_as_loss(end)


@pytest.mark.parametrize(
    "seen", [Seen(EXIT_FAILED, CANCEL, error=ERROR), Seen(-signal.SIGSEGV, CANCEL), Seen(7, CANCEL)]
)
def test_a_cancelled_job_is_cancelled_however_it_dies(seen: Seen) -> None:
    found = ending(seen)
    assert found.outcome is Outcome.CANCELLED
    assert found.reason.startswith("cancelled by the user; ")


# --- what is tried again ---------------------------------------------------------------------------


def error(failure: str) -> dict[str, str]:
    return {"kind": "error", "class": failure, "reason": f"because of {failure}"}


@pytest.mark.parametrize(
    ("seen", "failure"),
    [
        (Seen(None), "worker_lost"),
        (Seen(EXIT_STOPPED), "worker_lost"),
        (Seen(-signal.SIGSEGV), "crash"),
        (Seen(-signal.SIGABRT), "crash"),
        (Seen(-signal.SIGKILL), "oom"),
        (Seen(EXIT_FAILED, error=error("oom")), "oom"),
        (Seen(EXIT_FAILED, error=error("error")), "error"),
        (Seen(7), "error"),
        (Seen(EXIT_FAILED, error=error("data_error")), "data_error"),
        (Seen(EXIT_FAILED, error=error("disk_full")), "disk_full"),
    ],
)
def test_a_failure_is_tried_again_exactly_where_its_class_is_asked_for(seen: Seen, failure: str):
    classes = ["worker_lost", "crash", "oom", "error", "data_error", "disk_full"]
    end = ending(seen, retry={"max": 1, "on": [failure]})
    assert counts_as_loss(end)
    assert counter_of(end.failure) == failure
    end = ending(seen, retry={"max": 1, "on": [other for other in classes if other != failure]})
    assert end.outcome is Outcome.FAILED
    assert counter_of(end.failure) == failure
    assert "tried" not in end.reason


@pytest.mark.parametrize("failure", ["import_error", "spec_error", "non_finite_loss"])
def test_what_would_fail_again_is_never_tried_again(failure: str):
    every = ["worker_lost", "crash", "oom", "error", "data_error", "disk_full"]
    end = ending(Seen(EXIT_FAILED, error=error(failure)), retry={"max": 9, "on": every})
    assert (end.outcome, end.reason) == (Outcome.FAILED, f"because of {failure}")


def test_an_error_that_was_tried_again_too_often_says_how_often():
    end = ending(Seen(EXIT_FAILED, error=error("oom"), losses=2))
    assert (end.outcome, end.reason) == (Outcome.FAILED, "because of oom; it was tried 3 times")


def test_each_wait_is_twice_as_long_as_the_one_before():
    retry = {"max": 9, "backoff": 30}
    waits = [ending(Seen(None, losses=losses), retry=retry).delay_s for losses in range(9)]
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_each_class_may_have_a_rule_and_a_counter_of_its_own():
    retry = {"max": 1, "backoff": 5, "on": {"oom": {"max": 3, "backoff": 60}, "crash": {}}}
    oom, crash = Seen(EXIT_FAILED, error=error("oom")), Seen(-signal.SIGSEGV)
    assert (ending(oom, retry=retry).delay_s, ending(crash, retry=retry).delay_s) == (60, 5)

    def after(seen: Seen) -> Ending:
        return ending(replace(seen, losses=3, losses_by={"oom": 2, "crash": 1}), retry=retry)

    assert after(oom).delay_s == 240
    assert after(crash).outcome is Outcome.FAILED
    assert ending(Seen(7), retry=retry).outcome is Outcome.FAILED
