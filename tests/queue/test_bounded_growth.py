"""Many jobs come, run and go, and Redis is as it was before."""

from __future__ import annotations

from pathlib import Path

from fusionq.queue.leftovers import forget_leftovers
from fusionq.queue.retention import retire
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import submit_sweep
from tests.support import register, running, status

ROUNDS = 3
JOBS = 120
TEXT = "x" * 1000


def live_through(store: Store, settings: Settings, round_: int) -> None:
    """A day of a busy queue: jobs, a sweep, a chain, code, a worker of its own, then retention."""
    worker = register(store, f"worker-{round_}", slots=1000)
    for k in range(JOBS):
        put(store, f"{round_}j{k}")
    put(store, f"{round_}child", after=f"{round_}j0", model_from=f"{round_}j1")
    trials = submit_sweep(store, f"{round_}sweep", 10, max_parallel=3)
    for job_id in (*(f"{round_}j{k}" for k in range(JOBS)), f"{round_}child", *trials):
        if status(store, job_id) == "queued":
            run_to_its_end(store, job_id, worker)
    store.workers.unregister(worker, "token")
    for _ in retire(store, settings, "host"):
        pass
    forget_leftovers(store, settings.home)


def put(store: Store, job_id: str, **fields: str) -> None:
    digest = f"code of {job_id}"
    store.blobs.put(digest, TEXT.encode())
    about = {"name": f"name of {job_id}", "queue": "default", "priority": 0, "tags": "[]", "code": digest}
    assert store.jobs.submit(job_id, {"text": TEXT}, {**about, "user": "ann", "digest": job_id, **fields})


def run_to_its_end(store: Store, job_id: str, worker: str) -> None:
    attempt = running(store, job_id, worker)
    store.streams.append_log(job_id, attempt, 0, len(TEXT), TEXT)
    store.streams.append_points(job_id, [{"loss": 1.0}])
    store.jobs.note_progress(job_id, {"epoch": 1})
    outcome = Outcome.FAILED if job_id.endswith("7") else Outcome.SUCCEEDED
    result = {"best_value": 0.5, "mode": "max", "monitor": "m"}
    assert store.jobs.finish(job_id, attempt, outcome, "over", result)


def memory(store: Store) -> int:
    """The bytes that Redis holds, but for the stream of events, which is trimmed by its length."""
    return sum(store.redis.memory_usage(key) for key in store.redis.keys("*") if key != keys.EVENTS)


def test_after_many_jobs_there_is_as_much_in_redis_as_before(store: Store, tmp_path: Path):
    settings = Settings(tmp_path, tmp_path / "runs", retention_s=0)
    live_through(store, settings, 0)
    found, size = set(store.redis.keys("*")), memory(store)
    assert found == {keys.EVENTS, keys.TALLY, keys.SINGLE["sequence"]}
    for round_ in range(1, ROUNDS):
        live_through(store, settings, round_)
        assert set(store.redis.keys("*")) == found
        assert memory(store) <= size


def test_beyond_a_number_of_jobs_the_oldest_go(store: Store, tmp_path: Path):
    settings = Settings(tmp_path, tmp_path / "runs", keep_jobs=20)
    live_through(store, settings, 0)
    size = memory(store)
    for round_ in range(1, ROUNDS):
        live_through(store, settings, round_)
        assert store.jobs.count() == 20
        assert memory(store) < size * 1.1
