"""Old jobs go by themselves; what they made stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fusionq.queue.retention import Retired, due, is_for, retire
from fusionq.spec.paths import artifact_file
from fusionq.spec.record import JobRecord
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.queue.test_run_folders import make
from tests.support import register, running, submit

DAY_S = 86_400
HOST = "host"  # of every worker that `register` makes


def settings(tmp_path: Path, **more) -> Settings:
    return Settings(tmp_path / "home", tmp_path / "runs", **more)


def ended(store: Store, job_id: str, *, days: float = 0.0, run_dir: str = "", host: str = HOST) -> str:
    """A job that ended so many days ago."""
    register(store, slots=100)
    submit(store, job_id)
    store.jobs.finish(job_id, running(store, job_id), Outcome.SUCCEEDED, "")
    record = store.jobs.get(job_id)
    fields = {
        "submitted_at": round((record.submitted_at - days * DAY_S) * 1000),
        "finished_at": round((record.finished_at - days * DAY_S) * 1000),
        "run_dir": run_dir,
        "host": host,
    }
    store.redis.hset(keys.job(job_id), mapping=fields)
    return job_id


def ids(store: Store) -> list[str]:
    return [record.id for record in store.jobs.newest(100)]


def test_what_ended_longer_ago_than_it_is_kept_is_due(any_store: Store, tmp_path: Path):
    ended(any_store, "old", days=31)
    ended(any_store, "young", days=29)
    submit(any_store, "queued")
    any_store.redis.hset(keys.job("queued"), "submitted_at", 1)
    assert list(due(any_store, settings(tmp_path))) == ["old"]
    assert list(due(any_store, settings(tmp_path, retention_s=DAY_S))) == ["old", "young"]
    assert list(due(any_store, settings(tmp_path, retention_s=None))) == []


def test_of_too_many_jobs_the_oldest_that_ended_are_due(any_store: Store, tmp_path: Path):
    submit(any_store, "first")
    for k in range(4):
        ended(any_store, f"j{k}")
    assert list(due(any_store, settings(tmp_path, keep_jobs=3))) == ["j0", "j1"]
    assert list(due(any_store, settings(tmp_path, keep_jobs=5))) == []


def test_the_state_of_an_old_job_goes_and_its_models_stay(any_store: Store, tmp_path: Path):
    folder = make(tmp_path / "runs", "old")
    ended(any_store, "old", days=31, run_dir=str(folder))
    ended(any_store, "young")
    assert list(retire(any_store, settings(tmp_path), HOST)) == [Retired(removed=1)]
    assert ids(any_store) == ["young"]
    assert sorted(path.name for path in folder.iterdir()) == ["best_models", "job.yaml"]


def test_what_another_job_needs_stays_and_is_counted(any_store: Store, tmp_path: Path):
    folder = make(tmp_path / "runs", "old")
    ended(any_store, "old", days=31, run_dir=str(folder))
    fields = {"name": "n", "queue": "default", "priority": 0, "model_from": "old"}
    any_store.jobs.submit("new", {}, fields)
    assert list(retire(any_store, settings(tmp_path), HOST)) == [Retired(kept=1)]
    assert ids(any_store) == ["old", "new"]
    assert (folder / "checkpoints").is_dir()


def test_every_host_sees_to_its_own_jobs(any_store: Store, tmp_path: Path):
    ended(any_store, "here", days=31)
    ended(any_store, "there", days=31, host="there")
    any_store.workers.register("w2", "t", 60, {"host": "there", "slots": 1, "accepting": 1})
    list(retire(any_store, settings(tmp_path), HOST))
    assert ids(any_store) == ["there"]
    any_store.workers.unregister("w2", "t")
    list(retire(any_store, settings(tmp_path), HOST))
    assert ids(any_store) == []


def test_a_job_that_ran_nowhere_is_anybodys():
    record = JobRecord("a", "a", Status.FINISHED)
    assert is_for(record, "here", {"here", "there"})
    assert is_for(replace(record, host="here"), "here", {"here"})
    assert not is_for(replace(record, host="there"), "here", {"here", "there"})
    assert is_for(replace(record, host="there"), "here", {"here"})


def test_code_that_was_too_large_for_redis_goes_with_its_last_job(any_store: Store, tmp_path: Path):
    artifact = artifact_file(tmp_path / "runs", "d1")
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(b"code")
    any_store.blobs.put("d1", b"")
    ended(any_store, "old", days=31)
    any_store.redis.hset(keys.job("old"), "code", "d1")
    any_store.redis.sadd(keys.blob_users("d1"), "old")
    list(retire(any_store, settings(tmp_path), HOST))
    assert not artifact.exists()


def test_many_old_jobs_go_in_batches(any_store: Store, tmp_path: Path):
    for k in range(250):
        submit(any_store, f"j{k}")
    for job_id in ids(any_store):
        any_store.jobs.cancel(job_id, "enough")
    for k in range(250):
        any_store.jobs.cancel(f"j{k}", "enough")
        any_store.redis.hset(keys.job(f"j{k}"), mapping={"finished_at": 1, "submitted_at": 1})
    turns = list(retire(any_store, settings(tmp_path), HOST))
    assert [turn.removed for turn in turns] == [100, 100, 50]
    assert any_store.jobs.count() == 0
