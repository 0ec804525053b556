"""Cores and memory of the host: held by jobs that ask for them, and given back on every way out."""

from __future__ import annotations

import json

import pytest

from fusionq.queue.reasons import why_each
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.need import needs_text
from fusionq.store.store import Store
from tests.support import submit

FIELDS = {
    "host": "h",
    "slots": 4,
    "accepting": 1,
    "gpus": "[]",
    "cpus": 8,
    "memory": 100,
    "queues": '["default"]',
}


def needs(**more) -> str:
    return needs_text(**{"gpu_type": (), "labels": {}, "cpus": None, "memory": None, **more})


def test_the_same_needs_have_the_same_text():
    assert needs() == ""
    assert needs(gpu_type=["B", "a"], labels={"y": "2", "x": "1"}) == needs(
        gpu_type=["A", "b"], labels={"x": "1", "y": "2"}
    )


def test_no_more_is_given_than_there_is(any_store: Store):
    any_store.workers.register("w", "t", 60, FIELDS)
    for job_id, asked in {"a": needs(cpus=6), "b": needs(cpus=3), "c": needs(cpus=2, memory=100)}.items():
        submit(any_store, job_id, needs=asked)
    assert any_store.jobs.assign("a", "w", (), 60) == 1
    assert any_store.jobs.assign("b", "w", (), 60) == 0
    assert any_store.jobs.assign("c", "w", (), 60) == 1
    (worker,) = any_store.view().workers
    assert (worker.cpus, worker.held_cpus, worker.memory, worker.held_memory) == (8, 8, 100, 100)
    (record,) = any_store.workers.alive()
    assert (record.cpus, record.memory, record.busy_gpus, record.shared_gpus) == (8, 100, (), {})


@pytest.mark.parametrize("way", ["finish", "requeue", "cancel"])
def test_it_is_given_back(any_store: Store, way: str):
    any_store.workers.register("w", "t", 60, FIELDS)
    submit(any_store, "a", needs=needs(cpus=8, memory=50))
    attempt = any_store.jobs.assign("a", "w", (), 60)
    assert any_store.redis.hgetall(keys.worker_gpus("w")) == {"cpus": "a:8", "memory": "a:50"}
    if way == "cancel":
        any_store.jobs.cancel("a", "x")
    else:
        any_store.jobs.start("a", attempt, 60, "x")
        if way == "finish":
            any_store.jobs.finish("a", attempt, Outcome.SUCCEEDED, "")
        else:
            any_store.jobs.requeue("a", attempt, "x")
    assert not any_store.redis.exists(keys.worker_gpus("w"))


def test_those_who_ask_for_no_cores_count_by_their_share(any_store: Store):
    any_store.workers.register("w", "t", 60, FIELDS)
    submit(any_store, "a")
    submit(any_store, "b", needs=needs(cpus=3))
    any_store.jobs.assign("a", "w", (), 60)
    any_store.jobs.assign("b", "w", (), 60)
    assert any_store.view().workers[0].held_cpus == 2 + 3


def test_jobs_of_other_needs_stand_in_other_lanes_and_say_how_long_they_wait(any_store: Store):
    any_store.workers.register("w", "t", 60, FIELDS)
    submit(any_store, "a", needs=needs(cpus=3, gpu_type=["A100"], labels={"site": "berlin"}))
    submit(any_store, "b")
    lanes = {lane.jobs[0].id: lane for lane in any_store.view().lanes}
    need = lanes["a"].need
    assert (need.cpus, need.memory, need.gpu_type, need.labels) == (3, None, ("a100",), ("site=berlin",))
    assert lanes["b"].need.cpus is None
    any_store.redis.hincrby(keys.job("a"), "queued_at", -5000)
    lanes = {lane.jobs[0].id: lane for lane in any_store.view().lanes}
    assert lanes["a"].waited_s == pytest.approx(5.0, abs=1.0)


def test_another_priority_does_not_make_a_job_wait_anew(any_store: Store):
    any_store.workers.register("w", "t", 60, FIELDS)
    submit(any_store, "a")
    any_store.redis.hincrby(keys.job("a"), "queued_at", -5000)
    any_store.jobs.set_priority("a", 5)
    assert any_store.view().lanes[0].waited_s >= 5.0


def test_patience_is_kept_for_all(any_store: Store):
    assert any_store.queues.patience() == any_store.view().patience_s == 600
    any_store.queues.set_patience(5)
    assert any_store.queues.patience() == any_store.view().patience_s == 5


# --- GPUs that are kept from jobs, or that others use too --------------------------------------------


def with_gpu(store: Store, **more) -> None:
    gpu = {"index": 0, "name": "A", "memory_bytes": 100, **more}
    store.workers.register("w", "t", 60, {**FIELDS, "gpus": json.dumps([gpu])})


def test_a_blocked_gpu_is_given_to_nobody(any_store: Store):
    with_gpu(any_store, blocked="somebody is on it")
    submit(any_store, "whole", gpus="1")
    submit(any_store, "share", gpus="1", gpu_memory="10")
    assert any_store.jobs.assign("whole", "w", (0,), 60) == any_store.jobs.assign("share", "w", (0,), 60) == 0
    (worker,) = any_store.view().workers
    assert (worker.free_gpus, worker.shares, worker.blocked) == ((), {}, {0: "somebody is on it"})
    expected = "waits for a GPU; GPU 0 of w: somebody is on it"
    assert why_each(any_store, ["whole", "share"]) == {"whole": expected, "share": expected}
    with_gpu(any_store)
    assert any_store.jobs.assign("whole", "w", (0,), 60) == 1


def test_what_others_leave_of_a_gpu_is_shared_out(any_store: Store):
    with_gpu(any_store, foreign_bytes=50)
    for job_id, memory in {"whole": "", "a": "30", "b": "30", "c": "20"}.items():
        submit(any_store, job_id, gpus="1", gpu_memory=memory)
    assert any_store.view().workers[0].shares == {0: 50}
    assert any_store.jobs.assign("whole", "w", (0,), 60) == 0
    assert any_store.jobs.assign("a", "w", (0,), 60) == 1
    assert any_store.view().workers[0].shares == {0: 20}
    assert any_store.jobs.assign("b", "w", (0,), 60) == 0
    assert any_store.jobs.assign("c", "w", (0,), 60) == 1
