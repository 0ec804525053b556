"""A job that has ended, once more: the only way out of `finished`."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import end, statuses, submit_sweep
from tests.support import assigned, events_of, register, running, status, submit

ENDED_BADLY = [Outcome.FAILED, Outcome.CANCELLED, Outcome.TIMED_OUT]


@pytest.mark.parametrize("outcome", ENDED_BADLY)
def test_a_job_that_did_not_succeed_is_queued_again_as_if_it_had_just_come(
    any_store: Store, outcome: Outcome
):
    submit(any_store, "j")
    end(any_store, "j", outcome, epochs=3)
    any_store.jobs.note_progress("j", {"epoch": 3})
    any_store.jobs.note_warning("j", "odd")
    any_store.redis.hset(keys.job("j"), "losses", 2)
    before = any_store.jobs.get("j")
    assert any_store.jobs.retry("j") == "retried"
    record = any_store.jobs.get("j")
    assert (record.status, record.outcome, record.reason) == (Status.QUEUED, None, "")
    assert (record.losses, record.result, record.progress, record.warning) == (0, {}, {}, "")
    assert (record.started_at, record.finished_at, record.worker) == (0, 0, "")
    assert (record.attempt, record.fresh_after) == (1, 0)
    assert (record.sequence, record.submitted_at) == (before.sequence, before.submitted_at)
    assert assigned(any_store, "j") == 2
    assert events_of(any_store, "j")[-3:] == ["finished", "queued", "assigned"]


def test_a_job_that_succeeded_is_retried_only_to_begin_anew(any_store: Store):
    submit(any_store, "j")
    end(any_store, "j")
    before = any_store.jobs.get("j")
    assert any_store.jobs.retry("j") == "succeeded"
    assert any_store.jobs.get("j") == before
    assert any_store.jobs.retry("j", fresh=True) == "retried"
    assert any_store.jobs.get("j").fresh_after == 1


def test_a_later_retry_that_goes_on_does_not_go_back_behind_a_fresh_start(any_store: Store):
    submit(any_store, "j")
    end(any_store, "j", Outcome.FAILED)
    any_store.jobs.retry("j", fresh=True)
    end(any_store, "j", Outcome.FAILED)
    any_store.jobs.retry("j")
    assert any_store.jobs.get("j").fresh_after == 1


def test_a_job_that_has_not_ended_cannot_be_retried(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    for move in (
        lambda: None,
        lambda: assigned(any_store, "j"),
        lambda: any_store.jobs.start("j", 1, 60, ""),
    ):
        move()
        before = any_store.jobs.get("j")
        assert any_store.jobs.retry("j", fresh=True) == "active"
        assert any_store.jobs.get("j") == before


def test_a_job_is_retried_once_by_two_who_ask(any_store: Store):
    submit(any_store, "j")
    end(any_store, "j", Outcome.FAILED)
    assert [any_store.jobs.retry("j"), any_store.jobs.retry("j")] == ["retried", "active"]


def test_what_an_ended_attempt_still_says_changes_nothing(any_store: Store):
    submit(any_store, "j")
    end(any_store, "j", Outcome.FAILED)
    any_store.jobs.retry("j")
    assert not any_store.jobs.finish("j", 1, Outcome.SUCCEEDED, "")
    assert not any_store.jobs.requeue("j", 1, "")
    assert status(any_store, "j") == Status.QUEUED


def test_an_unknown_job_is_not_found(any_store: Store):
    with pytest.raises(NotFoundError):
        any_store.jobs.retry("none")
    with pytest.raises(NotFoundError):
        any_store.sweeps.retry("none")


# --- with jobs before and after it -------------------------------------------------------------------


def submit_after(store: Store, job_id: str, parent: str) -> None:
    assert store.jobs.submit(job_id, {}, {"name": job_id, "queue": "default", "priority": 0, "after": parent})


def test_children_that_failed_because_of_it_stay_failed_and_are_retried_after_it(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    end(any_store, "a", Outcome.FAILED)
    with pytest.raises(UsageError) as caught:
        any_store.jobs.retry("b")
    assert str(caught.value) == "b comes after a, which did not succeed; retry that first: fusionq retry a"
    any_store.jobs.retry("a")
    assert any_store.jobs.get("b").outcome is Outcome.FAILED
    assert any_store.jobs.retry("b") == "retried"
    assert (status(any_store, "b"), any_store.jobs.get("b").reason) == (
        Status.WAITING,
        "waits for a (name-of-a)",
    )
    end(any_store, "a")
    assert status(any_store, "b") == Status.QUEUED


def test_a_child_that_waits_for_a_sweep_waits_for_the_retried_trial(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    submit_after(any_store, "b", "abc")
    end(any_store, "abc-1", Outcome.FAILED)
    any_store.jobs.retry("abc-1")
    end(any_store, "abc-2")
    assert status(any_store, "b") == Status.WAITING
    end(any_store, "abc-1")
    assert status(any_store, "b") == Status.QUEUED


# --- sweeps ------------------------------------------------------------------------------------------


def end_all(store: Store, outcomes: Mapping[str, Outcome]) -> None:
    for job_id, outcome in outcomes.items():
        end(store, job_id, outcome, best_value=float(job_id[-1]), mode="max")


def test_the_trials_that_did_not_succeed_are_retried_in_their_order_and_in_turns(any_store: Store):
    submit_sweep(any_store, "abc", 4, max_parallel=2)
    end_all(
        any_store,
        dict(zip(["abc-1", "abc-2", "abc-3", "abc-4"], [*ENDED_BADLY, Outcome.SUCCEEDED], strict=True)),
    )
    assert any_store.sweeps.retry("abc") == 3
    assert statuses(any_store, "abc") == "qqwf"
    sweep = any_store.sweeps.get("abc")
    assert sweep.counts == {"queued": 2, "waiting": 1, "succeeded": 1}
    assert (sweep.is_finished, sweep.finished_at, sweep.best_trial) == (False, 0, "abc-4")
    assert any_store.sweeps.retry("abc") == 0
    for job_id in ("abc-1", "abc-2", "abc-3"):
        end(any_store, job_id)
    assert any_store.sweeps.get("abc").outcome is Outcome.SUCCEEDED


def test_all_that_ended_begin_anew_and_their_values_are_forgotten(any_store: Store):
    register(any_store, slots=9)
    submit_sweep(any_store, "abc", 3)
    running(any_store, "abc-3")
    end_all(any_store, {"abc-1": Outcome.SUCCEEDED, "abc-2": Outcome.SUCCEEDED})
    assert any_store.sweeps.get("abc").best_trial == "abc-2"
    assert any_store.sweeps.retry("abc", fresh=True) == 2
    sweep = any_store.sweeps.get("abc")
    assert (sweep.best_trial, sweep.best_value) == ("", None)
    assert sweep.counts == {"queued": 2, "running": 1}
    assert [trial.fresh_after for trial in any_store.sweeps.trials("abc")] == [1, 1, 0]


def test_the_best_of_the_others_is_the_best_while_one_runs_again(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    end_all(any_store, {"abc-1": Outcome.SUCCEEDED, "abc-2": Outcome.SUCCEEDED})
    any_store.jobs.retry("abc-2", fresh=True)
    assert any_store.sweeps.get("abc").best_trial == "abc-1"


def test_a_cancelled_sweep_is_retried_as_a_whole(any_store: Store):
    submit_sweep(any_store, "abc", 3, max_parallel=1)
    any_store.sweeps.cancel("abc", "enough")
    assert any_store.sweeps.retry("abc") == 3
    assert statuses(any_store, "abc") == "qww"
    assert any_store.sweeps.get("abc").stop_requested == ""


def test_a_sweep_behind_a_job_that_failed_is_not_retried(any_store: Store):
    submit(any_store, "a")
    submit_sweep(any_store, "abc", 2, after="a")
    end(any_store, "a", Outcome.FAILED)
    with pytest.raises(UsageError, match="abc comes after a, which did not succeed"):
        any_store.sweeps.retry("abc")
    any_store.jobs.retry("a")
    assert any_store.sweeps.retry("abc") == 2
    assert statuses(any_store, "abc") == "ww"
