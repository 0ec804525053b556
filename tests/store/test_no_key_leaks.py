"""After all moves, Redis holds nothing but the keys of the table, and no reservation."""

from __future__ import annotations

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, register, running, submit, wait_until

SHORT_S = 0.02
KEPT = {
    "jobs",
    "rows",
    "job_ids",
    "names",
    "sequence",
    "tally",
    "lost_attempts",
    "workers",
    "events",
}


def end_one_job_in_every_way(store: Store) -> None:
    register(store, slots=9, gpus=range(9))
    for job_id in ("done", "back", "delayed", "lost", "failed", "stopped", "dropped", "late"):
        submit(store, job_id, queue=f"queue-of-{job_id}")
    store.jobs.assign("done", "worker", (0, 1), 60)
    store.jobs.start("done", 1, 60, "")
    store.jobs.requeue("back", running(store, "back"), "shutdown")
    store.jobs.requeue("delayed", running(store, "delayed"), "later", delay_s=SHORT_S)
    for job_id, delay_s in (("lost", SHORT_S), ("failed", None)):
        attempt = running(store, job_id, lease_s=SHORT_S)
        wait_until(store.jobs.expired)
        store.jobs.reap(job_id, attempt, delay_s=delay_s, reason="lost")
        register(store, slots=9, gpus=range(9))  # its heartbeat: it takes jobs again
    running(store, "stopped")
    store.jobs.cancel("stopped", "enough")
    assigned(store, "dropped")
    store.jobs.cancel("dropped", "enough")
    assigned(store, "late", start_within_s=SHORT_S)
    store.streams.append_log("done", 1, 0, 2, "hi")
    store.streams.append_points("done", [{"loss": 1.0}])
    wait_until(lambda: store.jobs.promote() == 0 and len(store.jobs.pending()) == 4, what="all to be pending")
    for job in store.jobs.pending():
        running(store, job.id)
    for job in store.jobs.newest(100):
        store.jobs.finish(job.id, job.attempt, Outcome.SUCCEEDED, "")


def test_what_is_left_is_in_the_table_of_keys(any_store: Store):
    end_one_job_in_every_way(any_store)
    jobs = any_store.jobs.newest(100)
    assert len(jobs) == 8
    assert all(job.is_finished for job in jobs)
    expected = {keys.SINGLE[name] for name in KEPT}
    expected |= {key(job.id) for job in jobs for key in (keys.job, keys.spec)}
    expected |= {keys.log("done"), keys.metrics("done"), keys.worker("worker")}
    assert set(any_store.redis.keys("*")) == expected


def test_a_worker_that_leaves_takes_its_keys_along(any_store: Store):
    end_one_job_in_every_way(any_store)
    any_store.workers.unregister("worker", "token")
    assert any_store.redis.keys(keys.worker("*")) == []
    assert not any_store.redis.exists(keys.WORKERS)


def test_passes_and_reaping_leave_only_keys_that_expire(any_store: Store):
    passes = any_store.passes
    passes.begin("one")
    passes.begin("two")
    passes.wish()
    passes.begin_reaping("one", 5)
    left = any_store.redis.keys("*")
    assert set(left) == {keys.PASS_LOCK, keys.AGAIN, keys.WANTED, keys.REAP_LOCK}
    assert all(0 < any_store.redis.pttl(key) <= 10_000 for key in left)


def test_the_record_of_a_worker_expires(any_store: Store):
    register(any_store)
    assert 0 < any_store.redis.pttl(keys.worker("worker")) <= 86_400_000


def test_the_stream_of_events_is_trimmed(store: Store):
    pipe = store.redis.pipeline(transaction=False)
    for _ in range(11_000):
        pipe.xadd(keys.EVENTS, {"job": "x"})
    pipe.execute()
    submit(store, "j")
    assert store.redis.xlen(keys.EVENTS) < 10_500
