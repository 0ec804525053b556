"""Leases: renewed by those who hold them, taken once when they ran out, and counted."""

from __future__ import annotations

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, await_lease_end, register, running, status, submit

SHORT_S = 0.05


def test_a_lease_that_holds_is_not_taken(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    assert any_store.jobs.expired() == []
    assert any_store.jobs.reap("j", attempt, delay_s=0, reason="lost") == ""
    assert status(any_store, "j") == Status.RUNNING


def test_a_lease_that_ran_out_is_taken_once_and_counts_as_a_loss(any_store: Store):
    store = any_store
    register(store)
    submit(store, "j")
    attempt = running(store, "j", lease_s=SHORT_S)
    await_lease_end(store, "j")
    assert store.jobs.expired() == [("j", attempt)]
    assert store.jobs.reap("j", attempt, delay_s=0, reason="its worker was lost") == "requeued"
    assert store.jobs.reap("j", attempt, delay_s=0, reason="its worker was lost") == ""
    record = store.jobs.get("j")
    assert (record.status, record.losses, record.reason) == (Status.QUEUED, 1, "its worker was lost")
    assert store.jobs.expired() == []
    assert not store.jobs.finish("j", attempt, Outcome.SUCCEEDED, "too late")


def test_a_lease_is_taken_for_the_attempt_that_lost_it_only(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    any_store.jobs.requeue("j", running(any_store, "j"), "shutdown")
    attempt = running(any_store, "j", lease_s=SHORT_S)
    await_lease_end(any_store, "j")
    assert any_store.jobs.reap("j", attempt - 1, delay_s=0, reason="lost") == ""
    assert any_store.jobs.get("j").losses == 0


def test_a_lost_job_can_wait_before_it_is_tried_again(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j", lease_s=SHORT_S)
    await_lease_end(any_store, "j")
    assert any_store.jobs.reap("j", attempt, delay_s=60, reason="lost") == "requeued"
    assert status(any_store, "j") == Status.WAITING


def test_a_worker_that_renewed_in_the_last_moment_keeps_its_job(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j", lease_s=SHORT_S)
    await_lease_end(any_store, "j")
    assert any_store.jobs.renew([("j", attempt)], 60) == [""]
    assert any_store.jobs.reap("j", attempt, delay_s=0, reason="lost") == ""
    assert status(any_store, "j") == Status.RUNNING


def test_leases_of_several_jobs_are_renewed_in_one_call(any_store: Store):
    register(any_store, slots=3)
    attempts = []
    for job_id in ("a", "b", "c"):
        submit(any_store, job_id)
        attempts.append((job_id, running(any_store, job_id)))
    any_store.jobs.cancel("b", "enough")
    any_store.jobs.requeue("c", 1, "gone")
    assert any_store.jobs.renew(attempts, 60) == ["", "cancel", "lost"]
    assert any_store.jobs.renew([], 60) == []
    assert any_store.redis.zscore(keys.LEASES, "c") is None


def test_a_job_that_is_lost_too_often_fails_with_the_reason(any_store: Store):
    store = any_store
    submit(store, "j")
    answers = []
    for delay_s in (0, 0, None):
        register(store)
        attempt = running(store, "j", lease_s=0.02)
        await_lease_end(store, "j")
        answers.append(store.jobs.reap("j", attempt, delay_s=delay_s, reason="lost", failure="lost_lease"))
    assert answers == ["requeued", "requeued", "failed"]
    record = store.jobs.get("j")
    assert (record.outcome, record.reason, record.failure) == (Outcome.FAILED, "lost", "lost_lease")
    assert (record.losses, record.losses_by) == (3, {"worker_lost": 3})
    assert store.workers.alive()[0].jobs == ()


def test_losses_are_counted_by_class_and_forgotten_when_a_job_is_tried_once_more(any_store: Store):
    store = any_store
    register(store)
    submit(store, "j")
    for failure in ("oom", "host_oom", "crash"):
        assert store.jobs.requeue("j", running(store, "j"), "odd", failure=failure)
        assert store.jobs.get("j").failure == failure
    assert store.jobs.get("j").losses_by == {"oom": 2, "crash": 1}
    store.jobs.cancel("j", "enough")
    assert store.jobs.get("j").failure == "cancelled"
    assert store.jobs.retry("j") == "retried"
    record = store.jobs.get("j")
    assert (record.losses, record.losses_by, record.failure) == (0, {}, "")


def test_an_attempt_whose_number_was_given_again_to_another_worker_is_lost_to_the_first(any_store: Store):
    """A Redis that crashed may have forgotten its last second."""
    register(any_store, "first")
    register(any_store, "second")
    submit(any_store, "j")
    attempt = assigned(any_store, "j", "second")
    assert not any_store.jobs.start("j", attempt, 60, "", "first")
    assert any_store.jobs.start("j", attempt, 60, "", "second")
    assert any_store.jobs.renew([("j", attempt)], 60, "first") == ["lost"]
    assert any_store.jobs.renew([("j", attempt)], 60, "second") == [""]


def test_a_worker_that_lost_a_lease_gets_nothing_before_its_next_heartbeat(any_store: Store):
    register(any_store, slots=2)  # its heartbeat outlasts the lease
    for job_id in ("j", "next"):
        submit(any_store, job_id)
    attempt = running(any_store, "j", lease_s=0.02)
    await_lease_end(any_store, "j")
    assert any_store.jobs.reap("j", attempt, delay_s=0, reason="lost") == "requeued"
    assert any_store.jobs.assign("next", "worker", (), 60) == 0
    register(any_store, slots=2)
    assert any_store.jobs.assign("next", "worker", (), 60) == 1
