"""Slots and GPUs: reserved for one job at a time, and freed on every way out."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from tests.support import assigned, await_lease_end, register, running, submit, wait_until


def test_a_worker_gets_no_more_jobs_than_it_has_slots(any_store: Store):
    register(any_store, slots=2)
    for job_id in ("a", "b", "c"):
        submit(any_store, job_id)
    running(any_store, "a")
    assigned(any_store, "b")
    assert any_store.jobs.assign("c", "worker", (), 60) == 0
    assert any_store.workers.alive()[0].free_slots == 0
    any_store.jobs.finish("a", 1, Outcome.SUCCEEDED, "done")
    assert any_store.workers.alive()[0].jobs == ("b",)
    assert any_store.jobs.assign("c", "worker", (), 60) == 1


def test_a_gpu_is_given_to_one_job_at_a_time(any_store: Store):
    register(any_store, slots=3, gpus=[0, 1, 2])
    for job_id in ("a", "b", "c"):
        submit(any_store, job_id)
    assert any_store.jobs.assign("a", "worker", (0, 2), 60) == 1
    assert any_store.jobs.assign("b", "worker", (1, 2), 60) == 0
    (worker,) = any_store.workers.alive()
    assert (worker.busy_gpus, worker.free_gpus, worker.jobs) == ((0, 2), (1,), ("a",))
    record = any_store.jobs.get("b")
    assert (record.status, record.attempt) == (Status.QUEUED, 0)
    assert any_store.jobs.assign("b", "worker", (1,), 60) == 1
    assert any_store.jobs.get("a").assigned_gpus == (0, 2)


@pytest.mark.parametrize(
    "way", ["finish", "requeue", "requeue later", "cancel assigned", "reap", "not started"]
)
def test_every_way_out_frees_the_slot_and_the_gpus_of_this_job_only(any_store: Store, way):
    store = any_store
    register(store, slots=2, gpus=[0, 1])
    for job_id in ("j", "other"):
        submit(store, job_id)
    store.jobs.assign("other", "worker", (1,), 60)
    attempt = store.jobs.assign("j", "worker", (0,), 0.02 if way == "not started" else 60)
    if way not in ("cancel assigned", "not started"):
        store.jobs.start("j", attempt, 0.02, "x")
    if way == "finish":
        assert store.jobs.finish("j", attempt, Outcome.FAILED, "x")
    elif way == "cancel assigned":
        assert store.jobs.cancel("j", "x") == "cancelled"
    elif way == "reap":
        await_lease_end(store, "j")
        assert store.jobs.reap("j", attempt, delay_s=0, max_losses=9, reason="x") == "requeued"
    elif way == "not started":
        wait_until(store.jobs.promote)
    else:
        assert store.jobs.requeue("j", attempt, "x", delay_s=60 if way == "requeue later" else 0)
    (worker,) = store.workers.alive()
    assert (worker.jobs, worker.busy_gpus) == (("other",), (1,))


def test_nothing_is_assigned_to_a_worker_that_takes_no_jobs(any_store: Store):
    register(any_store, accepting=False)
    submit(any_store, "j")
    assert any_store.jobs.assign("j", "worker", (), 60) == 0
    register(any_store, accepting=True)
    assert any_store.jobs.assign("j", "worker", (), 60) == 1


def test_nothing_is_assigned_to_a_worker_that_is_silent_gone_or_unknown(any_store: Store):
    register(any_store, "silent", holds_s=0.01)
    register(any_store, "gone")
    any_store.workers.unregister("gone", "token")
    submit(any_store, "j")
    wait_until(lambda: not any_store.workers.alive(), what="the end of the heartbeat")
    for worker in ("silent", "gone", "unknown"):
        assert any_store.jobs.assign("j", worker, (), 60) == 0
    assert any_store.jobs.get("j").attempt == 0
