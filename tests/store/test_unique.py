"""One job of a kind: a submission that must be the only one finds the one that is there."""

from __future__ import annotations

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import end, submit_sweep
from tests.support import register, running, submit


def put(store: Store, job_id: str, digest: str = "same", *, unique: bool = True) -> str:
    fields = {"name": job_id, "queue": "default", "priority": 0, "digest": digest}
    return store.jobs.submit(job_id, {}, fields, unique=unique)


def test_the_second_of_a_kind_is_the_first(any_store: Store):
    assert put(any_store, "a") == "a"
    assert put(any_store, "b") == "a"
    assert put(any_store, "c", "another") == "c"
    assert any_store.jobs.count() == 2


def test_it_is_found_while_it_runs_and_not_once_it_ended(any_store: Store):
    register(any_store)
    put(any_store, "a")
    attempt = running(any_store, "a")
    assert put(any_store, "b") == "a"
    any_store.jobs.finish("a", attempt, Outcome.FAILED, "")
    assert put(any_store, "b") == "b"
    assert any_store.redis.smembers(keys.same("same")) == {"b"}


def test_who_does_not_ask_for_it_is_stored_and_found_all_the_same(any_store: Store):
    assert put(any_store, "a", unique=False) == "a"
    assert put(any_store, "b", unique=False) == "b"
    assert put(any_store, "c") == "a", "the one that came first"
    any_store.jobs.cancel("a", "")
    assert put(any_store, "c") == "b"


def test_a_job_that_is_tried_again_is_found_again(any_store: Store):
    put(any_store, "a")
    any_store.jobs.cancel("a", "")
    any_store.jobs.retry("a")
    assert put(any_store, "b") == "a"


def test_a_job_without_a_digest_is_like_no_other(any_store: Store):
    submit(any_store, "a")
    assert put(any_store, "b", "") == "b"


def test_a_sweep_goes_on_as_long_as_one_of_its_trials_does(any_store: Store):
    submit_sweep(any_store, "abc", 2, digest="same")
    assert put(any_store, "x") == "abc"
    end(any_store, "abc-1")
    assert put(any_store, "x") == "abc"
    end(any_store, "abc-2")
    assert any_store.redis.keys(keys.same("*")) == []
    any_store.sweeps.retry("abc", fresh=True)
    assert put(any_store, "x") == "abc"


def test_the_second_sweep_of_a_kind_is_the_first_and_its_trials_are_nothing(any_store: Store):
    submit_sweep(any_store, "abc", 2, digest="same")
    fields = {"name": "s", "queue": "default", "priority": 0}
    trials = [("xyz-1", {}, fields)]
    assert any_store.sweeps.submit("xyz", {}, {**fields, "digest": "same"}, trials, unique=True) == "abc"
    assert not any_store.sweeps.exists("xyz")
    assert any_store.jobs.count() == 2
    assert any_store.redis.ttl(keys.job("xyz-1")) > 0, "what was staged expires"
