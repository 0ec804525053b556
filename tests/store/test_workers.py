"""The registry of workers."""

from __future__ import annotations

import time

from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.store.workers import RECORD_STAYS_MS
from tests.support import register, running, submit, wait_until


def test_a_worker_is_known_with_what_it_has(any_store: Store):
    fields = {
        "host": "h1",
        "pid": 42,
        "version": "0.1.0",
        "queues": '["default", "big"]',
        "slots": 2,
        "accepting": 1,
        "gpus": '[{"index": 0, "name": "A"}, {"index": 1, "name": "B"}]',
    }
    assert any_store.workers.register("w", "t", 60, fields)
    (worker,) = any_store.workers.all()
    assert (worker.name, worker.host, worker.pid, worker.version) == ("w", "h1", 42, "0.1.0")
    assert (worker.queues, worker.slots, worker.accepting) == (("default", "big"), 2, True)
    assert [gpu["name"] for gpu in worker.gpus] == ["A", "B"]
    assert (worker.free_slots, worker.free_gpus, worker.is_alive) == (2, (0, 1), True)
    assert abs(worker.seen_at - time.time()) < 60


def test_workers_are_listed_by_name(any_store: Store):
    for name in ("c", "a", "b"):
        register(any_store, name)
    assert [worker.name for worker in any_store.workers.all()] == ["a", "b", "c"]


def test_what_a_worker_runs_is_not_free(any_store: Store):
    register(any_store, slots=2, gpus=[0, 1])
    submit(any_store, "j")
    any_store.jobs.assign("j", "worker", (1,), 60)
    (worker,) = any_store.workers.all()
    assert (worker.jobs, worker.busy_gpus, worker.free_slots, worker.free_gpus) == (("j",), (1,), 1, (0,))


def test_a_worker_with_fewer_slots_than_jobs_has_none_free(any_store: Store):
    register(any_store, slots=2)
    for job_id in ("a", "b"):
        submit(any_store, job_id)
        running(any_store, job_id)
    register(any_store, slots=1)
    assert any_store.workers.all()[0].free_slots == 0


def test_a_silent_worker_is_not_alive_but_still_listed(any_store: Store):
    register(any_store, "lively")
    register(any_store, "silent", holds_s=0.02)
    wait_until(lambda: len(any_store.workers.alive()) == 1, what="the end of the heartbeat")
    assert [(worker.name, worker.is_alive) for worker in any_store.workers.all()] == [
        ("lively", True),
        ("silent", False),
    ]


def test_a_heartbeat_revives_a_silent_worker(any_store: Store):
    register(any_store, holds_s=0.02)
    wait_until(lambda: not any_store.workers.alive(), what="the end of the heartbeat")
    register(any_store, holds_s=60)
    assert any_store.workers.alive()


def test_the_name_of_a_living_worker_is_taken(any_store: Store):
    register(any_store, token="first", slots=1)
    assert not any_store.workers.register("worker", "second", 60, {"slots": 9})
    assert any_store.workers.all()[0].slots == 1


def test_the_name_of_a_silent_worker_is_free(any_store: Store):
    register(any_store, token="first", holds_s=0.02)
    wait_until(
        lambda: any_store.workers.register("worker", "second", 60, {"slots": 9}), what="the name to be free"
    )
    assert any_store.workers.all()[0].slots == 9
    assert not any_store.workers.register("worker", "first", 60, {"slots": 1})


def test_only_the_worker_itself_can_leave(any_store: Store):
    register(any_store, token="mine")
    assert not any_store.workers.unregister("worker", "other")
    assert len(any_store.workers.all()) == 1
    assert any_store.workers.unregister("worker", "mine")
    assert any_store.workers.all() == []
    assert not any_store.workers.unregister("worker", "mine")


def test_a_worker_whose_record_expired_is_forgotten(any_store: Store):
    register(any_store, "here")
    register(any_store, "old")
    any_store.redis.delete(keys.worker("old"))
    any_store.redis.zincrby(keys.WORKERS, -RECORD_STAYS_MS - 120_000, "old")
    assert [worker.name for worker in any_store.workers.all()] == ["here"]
    any_store.workers.forget_silent()
    assert any_store.redis.zrange(keys.WORKERS, 0, -1) == ["here"]
