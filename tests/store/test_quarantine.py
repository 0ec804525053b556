"""A worker that is out of order takes nothing more, and what failed there goes back."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError
from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from tests.support import assigned, register, running, submit


def in_quarantine(store: Store, *victims: tuple[str, int, str]) -> int:
    return store.workers.quarantine("worker", "token", "three in a row", victims)


def test_a_worker_in_quarantine_gets_no_jobs_and_says_why(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assert in_quarantine(any_store) == 0
    assert any_store.jobs.assign("j", "worker", (), 60) == 0
    (worker,) = any_store.workers.alive()
    assert (worker.state_word, worker.quarantine, worker.accepting) == (
        "quarantined",
        "three in a row",
        False,
    )


def test_what_failed_there_for_good_is_queued_again(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    any_store.jobs.finish("j", attempt, Outcome.FAILED, "odd", failure="error")
    assert in_quarantine(any_store, ("j", attempt, "error")) == 1
    record = any_store.jobs.get("j")
    assert (record.status, record.losses, record.failure) == (Status.QUEUED, 0, "")
    assert record.reason == "the worker worker was out of order"


def test_what_is_to_be_tried_again_gets_its_retry_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    any_store.jobs.requeue("j", running(any_store, "j"), "odd", failure="crash")
    any_store.jobs.requeue("j", running(any_store, "j"), "odd", failure="host_oom")
    assert in_quarantine(any_store, ("j", 2, "host_oom")) == 1
    record = any_store.jobs.get("j")
    assert (record.losses, record.losses_by) == (1, {"crash": 1, "oom": 0})


def test_what_went_on_since_or_ended_otherwise_is_left_alone(any_store: Store):
    store = any_store
    register(store, slots=9)
    for job_id in ("again", "cancelled", "done"):
        submit(store, job_id)
    store.jobs.requeue("again", running(store, "again"), "odd", failure="crash")
    running(store, "again")
    store.jobs.finish("done", running(store, "done"), Outcome.SUCCEEDED, "")
    store.jobs.finish("cancelled", running(store, "cancelled"), Outcome.CANCELLED, "")
    assert in_quarantine(store, ("again", 1, "crash"), ("done", 1, "error"), ("cancelled", 1, "error")) == 0
    assert store.jobs.get("again").losses == 1
    assert store.jobs.get("done").outcome is Outcome.SUCCEEDED


def test_what_it_had_not_started_goes_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assigned(any_store, "j")
    in_quarantine(any_store)
    assert any_store.jobs.get("j").status is Status.QUEUED


def test_a_former_life_of_the_worker_has_no_say(any_store: Store):
    register(any_store)
    assert any_store.workers.quarantine("worker", "old", "odd", ()) == 0
    assert any_store.workers.alive()[0].accepting


def test_a_heartbeat_that_was_on_its_way_does_not_end_it(any_store: Store):
    register(any_store)
    in_quarantine(any_store)
    register(any_store)
    assert not any_store.workers.alive()[0].accepting
    any_store.workers.resume("worker")
    register(any_store)
    assert any_store.workers.alive()[0].accepting


def test_it_is_over_when_somebody_says_so(any_store: Store):
    register(any_store)
    assert not any_store.workers.resume("worker")
    in_quarantine(any_store)
    assert any_store.workers.is_quarantined("worker")
    assert any_store.workers.resume("worker")
    assert not any_store.workers.is_quarantined("worker")
    with pytest.raises(NotFoundError):
        any_store.workers.resume("nobody")


def test_a_worker_shows_when_a_job_last_succeeded_there(any_store: Store):
    register(any_store)
    for job_id, outcome in (("bad", Outcome.FAILED), ("good", Outcome.SUCCEEDED)):
        submit(any_store, job_id)
        any_store.jobs.finish(job_id, running(any_store, job_id), outcome, "")
        assert (any_store.workers.alive()[0].succeeded_at > 0) is (outcome is Outcome.SUCCEEDED)
