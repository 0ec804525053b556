"""Jobs that Redis has lost come back from their run folders, each in the state that it had."""

from __future__ import annotations

import json
import os
import py_compile
import time
from pathlib import Path

import pytest

from fusionq.queue import recovery
from fusionq.queue.recovery import find_lost, put_back
from fusionq.queue.tree import File, digest_of, pack
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths, code_cache
from fusionq.spec.run_record import RunRecord
from fusionq.spec.secrets import MASK
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome, Status
from fusionq.spec.writer import to_yaml
from fusionq.store import keys
from fusionq.store.selection import Filters
from fusionq.store.store import Store
from fusionq.worker.code_cache import unpack_into
from tests.support import ONE_JOB, assigned, end_of_time, register, running

JOB = from_yaml(ONE_JOB).to_data()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", runs=tmp_path / "runs")


def ran(store: Store, settings: Settings, job_id: str, *, code: str = "", **more) -> RunPaths:
    """A job that runs, with what its worker has written; Redis has it, still."""
    fields = {"name": f"name-of-{job_id}", "queue": "default", "priority": 3, "user": "ada", "code": code}
    assert store.jobs.submit(job_id, {**JOB, **more}, {**fields, "tags": '["a"]', "workdir": "/work"})
    running(store, job_id)
    paths = RunPaths.of_job(settings.runs, job_id)
    paths.checkpoints.mkdir(parents=True)
    paths.checkpoint(1, 1, 0).write_bytes(b"state")
    paths.job_file.write_text(to_yaml({**JOB, **more}))
    paths.metrics.write_text('{"kind": "epoch", "epoch": 1, "values": {"loss": 0.5}}\n{"cut')
    RunRecord(store.jobs.fields(job_id), 15.0, "redis://h").write(paths.record)
    return paths


def ended(paths: RunPaths, outcome: Outcome, **more: str) -> None:
    """What a worker writes when the job is over."""
    kept = RunRecord.read(paths.record)
    assert kept is not None
    kept.with_fields(status=Status.FINISHED, outcome=outcome, **more).write(paths.record)


def lose_all(store: Store) -> None:
    store.redis.flushall()
    register(store, slots=9)


def recover(store: Store, settings: Settings) -> list[str]:
    return [job.id for job in find_lost(store, settings) if put_back(store, settings, job)]


@pytest.fixture
def pool(any_store: Store) -> Store:
    register(any_store, slots=9)
    return any_store


def test_where_nothing_is_lost_there_is_nothing_to_recover(pool: Store, settings: Settings):
    assert find_lost(pool, settings) == []
    ran(pool, settings, "abc")
    assert find_lost(pool, settings) == []


def test_a_job_that_ran_goes_on_once_no_worker_can_still_run_it(pool: Store, settings: Settings):
    ran(pool, settings, "abc")
    lose_all(pool)
    assert recover(pool, settings) == ["abc"]
    record = pool.jobs.get("abc")
    assert (record.status, record.attempt, record.priority, record.user) == (Status.WAITING, 1, 3, "ada")
    assert (record.name, record.tags, record.workdir, record.worker) == ("name-of-abc", ("a",), "/work", "")
    assert record.due_at - pool.now() == pytest.approx(15 + recovery.MARGIN_S, abs=2)
    assert pool.jobs.spec("abc") == JOB
    assert pool.jobs.find("name-of-abc") == "abc"
    end_of_time(pool, keys.WAITING, "abc")
    pool.redis.hset(keys.job("abc"), "due_at", 0)
    assert pool.jobs.promote() == 1
    assert assigned(pool, "abc") == 2  # no number is given twice


def test_what_had_ended_comes_back_as_it_ended(pool: Store, settings: Settings):
    ended(ran(pool, settings, "good"), Outcome.SUCCEEDED, result='{"epochs": 2}', finished_at="1000")
    ended(
        ran(pool, settings, "bad"), Outcome.FAILED, reason="out of memory", failure="oom", finished_at="2000"
    )
    lose_all(pool)
    assert recover(pool, settings) == ["good", "bad"]
    good, bad = pool.jobs.get("good"), pool.jobs.get("bad")
    assert (good.outcome, good.result, good.finished_at) == (Outcome.SUCCEEDED, {"epochs": 2}, 1.0)
    assert (bad.outcome, bad.reason, bad.failure) == (Outcome.FAILED, "out of memory", "oom")
    assert pool.queues.tally() == {"succeeded": 1, "failed": 1}
    assert [job.id for job in pool.jobs.newest(9)] == ["good", "bad"]
    assert pool.jobs.retry("bad") == "retried"


def test_a_result_that_its_worker_could_not_tell_counts(pool: Store, settings: Settings):
    paths = ran(pool, settings, "abc")
    paths.result.write_text('{"epochs": 2}')
    lose_all(pool)
    recover(pool, settings)
    assert (pool.jobs.get("abc").outcome, pool.jobs.get("abc").result) == (Outcome.SUCCEEDED, {"epochs": 2})


def test_the_result_of_an_earlier_attempt_does_not(pool: Store, settings: Settings):
    paths = ran(pool, settings, "abc")
    paths.result.write_text('{"epochs": 2}')
    os.utime(paths.result, (time.time() - 100, time.time() - 100))
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").outcome is None


def test_a_job_that_was_back_in_its_queue_need_not_wait(pool: Store, settings: Settings):
    paths = ran(pool, settings, "abc")
    RunRecord(pool.jobs.fields("abc"), 15.0, "redis://h").with_fields(status=Status.QUEUED).write(
        paths.record
    )
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").status is Status.QUEUED


def test_a_job_that_was_held_is_held(pool: Store, settings: Settings):
    paths = ran(pool, settings, "abc")
    RunRecord(pool.jobs.fields("abc"), 15.0, "redis://h").with_fields(
        status=Status.QUEUED, held="by ada"
    ).write(paths.record)
    lose_all(pool)
    assert find_lost(pool, settings)[0].state_word == "waiting"
    recover(pool, settings)
    assert (pool.jobs.get("abc").status, pool.jobs.get("abc").reason) == (Status.WAITING, "by ada")


def test_said_twice_it_changes_nothing_and_what_is_there_stays(pool: Store, settings: Settings):
    ran(pool, settings, "abc")
    lose_all(pool)
    lost = find_lost(pool, settings)
    assert recover(pool, settings) == ["abc"]
    assert recover(pool, settings) == []
    assert not put_back(pool, settings, lost[0])
    assert pool.jobs.count() == 1


def test_notes_of_a_worker_that_did_not_know_yet_are_no_record(pool: Store, settings: Settings):
    ran(pool, settings, "abc")
    lose_all(pool)
    pool.jobs.note_progress("abc", {"epoch": 1})
    assert recover(pool, settings) == ["abc"]
    assert pool.jobs.get("abc").progress == {}


def test_no_later_attempt_takes_the_number_of_one_that_left_a_checkpoint(pool: Store, settings: Settings):
    ran(pool, settings, "abc").checkpoint(7, 1, 0).write_bytes(b"state")
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").attempt == 7


def test_what_it_measured_comes_back_too(pool: Store, settings: Settings):
    ran(pool, settings, "abc")
    lose_all(pool)
    recover(pool, settings)
    [(_, fields)] = pool.redis.xrange(keys.metrics("abc"))
    assert json.loads(fields["point"]) == {"attempt": 1, "kind": "epoch", "epoch": 1, "values": {"loss": 0.5}}


def test_a_trial_and_a_job_after_others_come_back_on_their_own(pool: Store, settings: Settings):
    paths = ran(pool, settings, "abc-1")
    lonely = {"sweep": "abc", "after": "xyz", "model_from": "xyz"}
    RunRecord(pool.jobs.fields("abc-1"), 15.0, "redis://h").with_fields(**lonely).write(paths.record)
    lose_all(pool)
    recover(pool, settings)
    record = pool.jobs.get("abc-1")
    assert (record.sweep, record.after, record.status) == ("", (), Status.WAITING)
    assert pool.jobs.find("abc-1") == "abc-1"


# --- code and secrets ------------------------------------------------------------------------------

FILES = [File("train.py", b"x = 1"), File("run.sh", b"#!/bin/sh", is_executable=True)]
LINK = File("link.py", b"train.py", is_link=True)


def unpacked(settings: Settings) -> str:
    """Code as a worker unpacked it, and as it is once a job has imported it. Returns its digest."""
    digest = digest_of([*FILES, LINK])
    folder = unpack_into(code_cache(settings.home), digest, pack([*FILES, LINK]))
    py_compile.compile(str(folder / "train.py"))
    assert list(folder.glob("__pycache__/*.pyc"))
    return digest


def test_code_is_stored_again_from_where_it_was_unpacked(pool: Store, settings: Settings):
    digest = unpacked(settings)
    pool.blobs.put(digest, b"archive")
    ran(pool, settings, "abc", code=digest)
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").code == digest
    assert pool.blobs.get(digest)
    assert pool.redis.smembers(keys.blob_users(digest)) == {"abc"}


def test_a_job_whose_code_is_nowhere_fails_and_one_that_had_ended_comes_back(pool: Store, settings: Settings):
    pool.blobs.put("d1", b"archive")
    ran(pool, settings, "abc", code="d1")
    ended(ran(pool, settings, "done", code="d1"), Outcome.SUCCEEDED)
    lose_all(pool)
    assert recover(pool, settings) == ["abc", "done"]
    assert pool.jobs.get("abc").outcome is Outcome.FAILED
    assert pool.jobs.get("abc").reason == "its code was lost with Redis; submit it again"
    assert pool.jobs.get("done").outcome is Outcome.SUCCEEDED


def test_a_job_whose_secrets_are_not_on_disk_is_not_run_with_masks(pool: Store, settings: Settings):
    ran(pool, settings, "abc", env={"API_KEY": MASK})
    lose_all(pool)
    recover(pool, settings)
    record = pool.jobs.get("abc")
    assert record.outcome is Outcome.FAILED
    assert record.reason == "its job file holds no values for its secrets; submit it again"
    assert pool.jobs.spec("abc") == {**JOB, "env": {"API_KEY": MASK}}  # for who writes them again


def test_a_job_whose_file_is_gone_says_so(pool: Store, settings: Settings):
    ran(pool, settings, "abc").job_file.unlink()
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").reason == "its job file cannot be read; submit it again"


def test_a_job_that_recovery_ends_ends_now(pool: Store, settings: Settings):
    """Without a time, nobody could tell which jobs ended long ago."""
    ran(pool, settings, "abc", env={"API_KEY": MASK})
    lose_all(pool)
    recover(pool, settings)
    assert pool.jobs.get("abc").finished_at == pytest.approx(pool.now(), abs=60)
    assert list(pool.selection.ids(Filters(older_s=3600.0))) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 99, "lease_s": 1, "fields": {"status": "x"}}'])
def test_a_record_that_cannot_be_read_is_passed_over(pool: Store, settings: Settings, text: str):
    ran(pool, settings, "abc").record.write_text(text)
    lose_all(pool)
    assert find_lost(pool, settings) == []
