"""The attempts that run on a worker, and what each is asked to stop for."""

from __future__ import annotations

import itertools
import signal

import pytest

from fusionq.worker.running_attempts import (
    CANCEL,
    CANCEL_NOW,
    LOST,
    REQUEUE,
    SHUTDOWN,
    TIMEOUT,
    Attempt,
    Running,
)


def test_what_runs_is_listed_until_it_is_over():
    running = Running()
    one, two = Attempt("a", 1), Attempt("b", 1)
    running.add(one)
    running.add(two)
    assert running.all() == [one, two]
    running.remove(one)
    assert running.all() == [two]


def test_an_older_attempt_that_ends_late_does_not_take_the_newer_one_off_the_list():
    running = Running()
    older, newer = Attempt("a", 1), Attempt("a", 2)
    running.add(older)
    running.add(newer)
    running.remove(older)
    assert running.all() == [newer]


def test_an_attempt_is_taken_once():
    running = Running()
    first = Attempt("a", 1)
    assert running.add(first)
    assert not running.add(Attempt("a", 1))
    assert running.all() == [first]


def test_a_signal_that_comes_while_the_list_is_held_can_be_handled():
    running = Running()
    running.add(Attempt("a", 1))

    def ask(*_: object) -> None:
        running.ask_all_to_stop(SHUTDOWN)

    before = signal.signal(signal.SIGUSR1, ask)
    try:
        with running._lock:  # where its thread is interrupted
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert running.all()[0].stop_reason == SHUTDOWN


def test_one_job_is_asked_to_stop_and_the_others_are_not():
    running = Running()
    one, two = Attempt("a", 1), Attempt("b", 1)
    running.add(one)
    running.add(two)
    running.obey("a", CANCEL)
    assert (one.stop_reason, two.stop_reason) == (CANCEL, "")


def test_a_job_that_does_not_run_here_is_asked_in_vain():
    Running().obey("nobody", CANCEL)


def test_a_shutdown_asks_all():
    running = Running()
    attempts = [Attempt(name, 1) for name in "ab"]
    for attempt in attempts:
        running.add(attempt)
    running.ask_all_to_stop(SHUTDOWN)
    assert [(a.stop_reason, a.hurry) for a in attempts] == [(SHUTDOWN, False)] * 2
    running.ask_all_to_stop(SHUTDOWN, hurry=True)
    assert all(attempt.hurry for attempt in attempts)


RANKED = [REQUEUE, SHUTDOWN, TIMEOUT, CANCEL, LOST]


@pytest.mark.parametrize(("weaker", "stronger"), list(itertools.combinations(RANKED, 2)))
def test_of_two_reasons_the_one_that_says_more_wins(weaker: str, stronger: str):
    for order in ((weaker, stronger), (stronger, weaker)):
        attempt = Attempt("a", 1)
        for reason in order:
            attempt.ask_to_stop(reason)
        assert attempt.stop_reason == stronger


def test_a_lost_attempt_gets_no_grace():
    attempt = Attempt("a", 1)
    attempt.ask_to_stop(LOST)
    assert attempt.hurry


def test_a_cancellation_that_cannot_wait_is_in_a_hurry():
    attempt = Attempt("a", 1)
    attempt.obey("")
    attempt.obey(REQUEUE)
    assert (attempt.stop_reason, attempt.hurry) == (REQUEUE, False)
    attempt.obey(CANCEL_NOW)
    assert (attempt.stop_reason, attempt.hurry) == (CANCEL, True)
