"""Slots and GPUs: reserved for one job at a time, and freed on every way out."""

from __future__ import annotations

import json

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
        assert store.jobs.reap("j", attempt, delay_s=0, reason="x") == "requeued"
    elif way == "not started":
        wait_until(store.jobs.promote)
    else:
        assert store.jobs.requeue("j", attempt, "x", delay_s=60 if way == "requeue later" else 0)
    (worker,) = store.workers.alive()
    assert (worker.jobs, worker.busy_gpus) == (("other",), (1,))


# --- GPUs that are shared --------------------------------------------------------------------------


def submit_sharing(store: Store, **bytes_of: int) -> None:
    for job_id, share in bytes_of.items():
        fields = {"name": job_id, "queue": "default", "priority": 0, "gpu_memory": share}
        assert store.jobs.submit(job_id, {}, fields)


def with_gpus(store: Store, *sizes: int) -> None:
    shown = json.dumps([{"index": index, "memory_bytes": size} for index, size in enumerate(sizes)])
    assert store.workers.register("worker", "token", 60, {"slots": 9, "accepting": 1, "gpus": shown})


GB = 1_000_000_000


def test_jobs_share_a_gpu_up_to_its_memory_and_no_further(any_store: Store):
    with_gpus(any_store, 80 * GB)
    submit_sharing(any_store, a=30 * GB, b=50 * GB, c=1)
    assert any_store.jobs.assign("a", "worker", (0,), 60) == 1
    assert any_store.jobs.assign("b", "worker", (0,), 60) == 1
    assert any_store.jobs.assign("c", "worker", (0,), 60) == 0
    (worker,) = any_store.workers.alive()
    assert (worker.busy_gpus, worker.shared_gpus, worker.gpu_memory) == ((0,), {0: 80 * GB}, {0: 80 * GB})
    any_store.jobs.cancel("a", "x")
    assert any_store.workers.alive()[0].shared_gpus == {0: 50 * GB}
    assert any_store.jobs.assign("c", "worker", (0,), 60) == 1
    for job_id in ("b", "c"):
        any_store.jobs.cancel(job_id, "x")
    (worker,) = any_store.workers.alive()
    assert (worker.free_gpus, worker.shared_gpus) == ((0,), {})


def test_a_job_that_needs_a_gpu_to_itself_neither_joins_others_nor_is_joined(any_store: Store):
    with_gpus(any_store, 80, 80)
    submit_sharing(any_store, a=1, b=1)
    submit(any_store, "whole")
    assert any_store.jobs.assign("a", "worker", (0,), 60) == 1
    assert any_store.jobs.assign("whole", "worker", (0,), 60) == 0
    assert any_store.jobs.assign("whole", "worker", (1,), 60) == 1
    assert any_store.jobs.assign("b", "worker", (1,), 60) == 0
    (worker,) = any_store.workers.alive()
    assert (worker.busy_gpus, worker.shared_gpus) == ((0, 1), {0: 1})


def test_a_job_gets_no_gpu_that_is_smaller_than_it_needs_or_not_there(any_store: Store):
    with_gpus(any_store, 10)
    submit_sharing(any_store, a=11, b=1)
    assert any_store.jobs.assign("a", "worker", (0,), 60) == 0
    assert any_store.jobs.assign("b", "worker", (7,), 60) == 0


def test_a_job_whose_name_begins_like_anothers_frees_its_own_share(any_store: Store):
    with_gpus(any_store, 10)
    submit_sharing(any_store, **{"a": 1, "a-1": 2, "a-10": 4})
    for job_id in ("a", "a-1", "a-10"):
        assert any_store.jobs.assign(job_id, "worker", (0,), 60) == 1
    any_store.jobs.cancel("a-1", "x")
    assert any_store.workers.alive()[0].shared_gpus == {0: 5}


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
