"""A job that has ended leaves Redis, and leaves nothing behind."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import end, submit_sweep
from tests.support import register, running, submit

FIELDS = {"queue": "default", "priority": 0}


def put(store: Store, job_id: str, **fields: str) -> str:
    assert store.jobs.submit(job_id, {}, {"name": job_id, **FIELDS, **fields})
    return job_id


def word(store: Store, job_id: str) -> str:
    (answer,) = store.removal.remove([job_id])
    return answer.word


def test_nothing_is_left_of_it_but_that_it_was_counted(any_store: Store):
    store = any_store
    register(store)
    empty = set(store.redis.keys("*"))
    store.blobs.put("d1", b"code")
    put(store, "a", code="d1")
    store.streams.append_log("a", 1, 0, 2, "hi")
    store.streams.append_points("a", [{"loss": 1.0}])
    store.redis.set(keys.result("a"), "{}")
    end(store, "a")
    (answer,) = store.removal.remove(["a"])
    assert (answer.is_removed, answer.blobs) == (True, ("d1",))
    assert set(store.redis.keys("*")) - empty == {keys.EVENTS, keys.TALLY, "fusionq:sequence"}
    with pytest.raises(NotFoundError):
        store.jobs.find("a")
    assert word(store, "a") == "missing"


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_job_that_has_not_ended_stays(any_store: Store, state: str):
    register(any_store)
    put(any_store, "a")
    if state == "running":
        running(any_store, "a")
    assert word(any_store, "a") == "active"
    assert any_store.jobs.get("a").status == state


def test_a_job_that_another_waits_for_stays_until_that_goes(any_store: Store):
    register(any_store, slots=9)
    put(any_store, "a")
    put(any_store, "b")
    put(any_store, "c", after="a,b")
    end(any_store, "a")
    assert word(any_store, "a") == "parent"
    end(any_store, "b")
    assert word(any_store, "a") == "removed"


def test_a_job_whose_model_another_takes_stays_until_that_has_ended(any_store: Store):
    register(any_store, slots=9)
    end(any_store, put(any_store, "a"))
    put(any_store, "b", model_from="a")
    assert word(any_store, "a") == "source"
    running(any_store, "b")
    assert word(any_store, "a") == "source"
    any_store.jobs.finish("b", 1, Outcome.FAILED, "")
    any_store.jobs.retry("b")
    assert word(any_store, "a") == "source"
    any_store.jobs.cancel("b", "enough")
    assert not any_store.redis.exists(keys.takers("a"))
    assert word(any_store, "a") == "removed"


def test_code_stays_as_long_as_another_job_runs_it(any_store: Store):
    any_store.blobs.put("d1", b"code")
    for job_id in ("a", "b"):
        end(any_store, put(any_store, job_id, code="d1"))
    answers = any_store.removal.remove(["a", "b"])
    assert [answer.blobs for answer in answers] == [(), ("d1",)]


def test_a_name_goes_on_meaning_the_newer_job(any_store: Store):
    for job_id in ("a", "b"):
        submit(any_store, job_id, name="same")
        end(any_store, job_id)
    assert word(any_store, "a") == "removed"
    assert any_store.jobs.find("same") == "b"


def test_a_trial_stays_until_its_sweep_has_ended_and_takes_it_along_at_last(any_store: Store):
    store = any_store
    register(store)
    empty = set(store.redis.keys("*"))
    store.blobs.put("d1", b"code")
    trials = submit_sweep(store, "abc", 2)
    store.redis.hset(keys.sweep("abc"), "code", "d1")
    store.redis.sadd(keys.blob_users("d1"), "abc")
    end(store, "abc-1", best_value=0.5, mode="max", monitor="m")
    assert word(store, "abc-1") == "sweep"
    end(store, "abc-2", best_value=0.4, mode="max", monitor="m")
    assert word(store, "abc-1") == "removed"
    sweep = store.sweeps.get("abc")
    assert (sweep.is_finished, sweep.best_trial, sweep.outcome) == (True, "abc-1", Outcome.SUCCEEDED)
    assert store.sweeps.best("abc") is None
    assert [trial.id for trial in store.sweeps.trials("abc")] == ["abc-2"]
    (answer,) = store.removal.remove(["abc-2"])
    assert answer.blobs == ("d1",)
    assert not store.sweeps.exists("abc")
    assert set(store.redis.keys("*")) - empty == {keys.EVENTS, keys.TALLY, "fusionq:sequence"}
    assert store.num_rows() == 0
    assert store.removal.existing(trials) == set()


def test_a_sweep_that_another_job_waits_for_keeps_its_trials(any_store: Store):
    submit_sweep(any_store, "abc", 1)
    put(any_store, "other")
    put(any_store, "later", after="abc,other")
    end(any_store, "abc-1")
    assert word(any_store, "abc-1") == "parent"


def test_what_is_left_of_a_sweep_can_be_retried(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    for trial in ("abc-1", "abc-2"):
        end(any_store, trial, Outcome.FAILED)
    assert word(any_store, "abc-1") == "removed"
    assert any_store.sweeps.retry("abc") == 1
    end(any_store, "abc-2")
    assert any_store.sweeps.get("abc").is_finished


def test_how_much_jobs_take_is_told(store: Store):
    end(store, put(store, "a"))
    before = store.removal.bytes_of(["a"])
    store.streams.append_log("a", 1, 0, 100_000, "x" * 100_000)
    assert store.removal.bytes_of(["a", "gone"]) - before > 100_000
