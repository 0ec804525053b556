"""Jobs that are given back, wait for a time, or were not started."""

from __future__ import annotations

from fusionq.spec.states import Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, register, running, status, submit, wait_until

SHORT_S = 0.05


def test_a_job_that_is_given_back_can_be_assigned_at_once(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    assert any_store.jobs.requeue("j", attempt, "its worker shut down")
    record = any_store.jobs.get("j")
    assert (record.status, record.reason, record.worker) == (Status.QUEUED, "its worker shut down", "")
    assert (record.losses, record.assigned_gpus) == (0, ())
    assert assigned(any_store, "j") == attempt + 1


def test_a_job_with_a_delay_waits_until_its_time_has_come(any_store: Store):
    store = any_store
    register(store, slots=2)
    for job_id, delay_s in (("soon", SHORT_S), ("later", 60)):
        submit(store, job_id)
        attempt = running(store, job_id)
        assert store.jobs.requeue(job_id, attempt, "try later", delay_s=delay_s, failure="crash")
        record = store.jobs.get(job_id)
        assert (record.status, record.losses, record.reason) == (Status.WAITING, 1, "try later")
        assert record.due_at > record.started_at
    assert wait_until(store.jobs.promote, what="the time of the job") == 1
    assert [job.id for job in store.jobs.pending()] == ["soon"]
    assert store.redis.zrange(keys.WAITING, 0, -1) == ["later"]
    assert status(store, "later") == Status.WAITING
    assert store.jobs.promote() == 0


def test_a_job_that_nobody_started_goes_back_to_its_queue(any_store: Store):
    store = any_store
    register(store, slots=2, gpus=[0, 1])
    for job_id in ("j", "in time"):
        submit(store, job_id)
    late = store.jobs.assign("j", "worker", (0,), SHORT_S)
    store.jobs.assign("in time", "worker", (1,), 60)
    assert wait_until(store.jobs.promote, what="the end of the assignment") == 1
    assert status(store, "in time") == Status.ASSIGNED
    record = store.jobs.get("j")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert record.reason == "its worker did not start it in time"
    assert not store.jobs.start("j", late, 60, "x")
    assert store.workers.alive()[0].free_gpus == (0,)
    assert store.jobs.assign("j", "worker", (0,), 60) == late + 1


def test_a_job_that_started_in_time_is_not_taken_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = any_store.jobs.assign("j", "worker", (), SHORT_S)
    any_store.jobs.start("j", attempt, 60, "x")
    submit(any_store, "k")
    register(any_store, "other")
    assigned(any_store, "k", "other", start_within_s=SHORT_S)
    assert wait_until(any_store.jobs.promote) == 1  # k, not j
    assert status(any_store, "j") == Status.RUNNING


def test_an_assigned_job_goes_back_at_once_or_later(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assert any_store.jobs.requeue("j", assigned(any_store, "j"), "its worker shut down")
    assert [job.id for job in any_store.jobs.pending()] == ["j"]
    assert any_store.jobs.requeue("j", assigned(any_store, "j"), "later", delay_s=60)
    assert status(any_store, "j") == Status.WAITING


def test_a_waiting_job_is_not_given_back_before_its_time(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    any_store.jobs.requeue("j", attempt, "later", delay_s=60)
    assert not any_store.jobs.requeue("j", attempt, "now", failure="crash")
    record = any_store.jobs.get("j")
    assert (record.status, record.losses, record.reason) == (Status.WAITING, 0, "later")
