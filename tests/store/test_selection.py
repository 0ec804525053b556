"""Jobs found by what they are like, page by page."""

from __future__ import annotations

import json
import unicodedata

import pytest

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.selection import Filters
from fusionq.store.store import Store
from tests.store.swept import submit_sweep
from tests.support import assigned, register, running, submit


def put(store: Store, job_id: str, **fields: str) -> None:
    about = {"name": "n", "queue": "default", "priority": 0, "user": "ann", "tags": "[]", **fields}
    assert store.jobs.submit(job_id, {}, about)


def found(store: Store, **filters: tuple[str, ...]) -> list[str]:
    return list(store.selection.ids(Filters(**filters)))


def test_without_filters_all_jobs_are_found_the_newest_first(any_store: Store):
    for k in range(7):
        submit(any_store, f"j{k}")
    for page in (1, 3, 7, 100):
        newest_first = [f"j{k}" for k in reversed(range(7))]
        assert list(any_store.selection.ids(Filters(), page=page)) == newest_first
        assert list(any_store.selection.ids(Filters(), oldest_first=True, page=page)) == newest_first[::-1]


def test_where_there_are_no_jobs_none_is_found(any_store: Store):
    assert found(any_store) == []


def test_jobs_are_found_by_where_they_are_and_how_they_ended(any_store: Store):
    register(any_store, slots=9)
    for job_id in ("queued", "assigned", "running", "succeeded", "failed"):
        submit(any_store, job_id)
    assigned(any_store, "assigned")
    running(any_store, "running")
    for outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
        any_store.jobs.finish(str(outcome), running(any_store, str(outcome)), outcome, "")
    for state in ("queued", "assigned", "running", "succeeded", "failed"):
        assert found(any_store, states=(state,)) == [state]
    assert found(any_store, states=("running", "failed")) == ["failed", "running"]
    assert found(any_store, states=("finished",)) == []


def test_jobs_are_found_by_how_they_last_failed(any_store: Store):
    register(any_store, slots=9)
    for job_id in ("fine", "again", "broken"):
        submit(any_store, job_id)
    any_store.jobs.finish("fine", running(any_store, "fine"), Outcome.SUCCEEDED, "")
    any_store.jobs.requeue("again", running(any_store, "again"), "odd", failure="oom")
    any_store.jobs.finish("broken", running(any_store, "broken"), Outcome.FAILED, "odd", failure="data_error")
    assert found(any_store, failures=("oom",)) == ["again"]
    assert found(any_store, failures=("oom", "data_error")) == ["broken", "again"]
    assert found(any_store, failures=("oom",), states=("failed",)) == []


def test_jobs_are_found_by_tag_name_user_and_queue(any_store: Store):
    put(any_store, "a", name="mnist-1", tags=json.dumps(["x", "y"]))
    put(any_store, "b", name="mnist-22", user="bob")
    put(any_store, "c", name="cifar.10", queue="night", tags=json.dumps(["z"]))
    assert found(any_store, tags=("y",)) == ["a"]
    assert found(any_store, tags=("y", "z")) == ["c", "a"]
    assert found(any_store, users=("bob",)) == ["b"]
    assert found(any_store, queues=("night",)) == ["c"]
    assert found(any_store, names=("mnist-1",)) == ["a"]
    assert found(any_store, names=("mnist-*",)) == ["b", "a"]
    assert found(any_store, names=("mnist-?",)) == ["a"]
    assert found(any_store, names=("mnist",)) == []
    assert found(any_store, names=("cifar.*", "mnist-1")) == ["c", "a"]
    assert found(any_store, names=("cifar?1%",)) == []
    assert found(any_store, users=("ann",), tags=("z",)) == ["c"]
    assert found(any_store, users=("bob",), tags=("z",)) == []


@pytest.mark.parametrize("name", ["übung *", "a+b (2)", "[x]^$%d"])
def test_a_name_may_hold_any_sign(any_store: Store, name: str):
    put(any_store, "a", name=name)
    put(any_store, "b", name="other")
    assert found(any_store, names=(name,)) == ["a"]


def test_the_trials_of_a_sweep_are_found(any_store: Store):
    submit_sweep(any_store, "abc", 3)
    submit(any_store, "other")
    assert found(any_store, sweeps=("abc",)) == ["abc-3", "abc-2", "abc-1"]


def test_jobs_are_found_by_how_long_ago_they_ended(any_store: Store):
    register(any_store, slots=9)
    for job_id in ("old", "new", "going"):
        submit(any_store, job_id)
    for job_id in ("old", "new"):
        any_store.jobs.finish(job_id, running(any_store, job_id), Outcome.FAILED, "")
    for job_id in ("old", "going"):
        any_store.redis.hset(keys.job(job_id), mapping={"submitted_at": 1, "finished_at": 1000})
    filters = Filters(older_s=3600)
    assert list(any_store.selection.ids(filters)) == ["old"]
    assert list(any_store.selection.ids(filters, oldest_first=True)) == ["old"]
    assert list(any_store.selection.ids(Filters(older_s=0))) == ["new", "old"]
    assert list(any_store.selection.ids(Filters(older_s=1e10))) == []


def test_names_and_tags_are_found_however_their_letters_are_composed(any_store: Store):
    put(any_store, "abc", name="größe", tags='["größe"]')
    decomposed = unicodedata.normalize("NFD", "größe")
    assert found(any_store, names=(decomposed,)) == found(any_store, tags=(decomposed,)) == ["abc"]
    assert any_store.jobs.find(decomposed) == "abc"


def test_jobs_that_were_put_back_hide_none_that_came_before_them(any_store: Store):
    """They stand behind those that were submitted between the loss and the recovery, and are older."""
    submit(any_store, "new")
    fields = {"name": "n", "queue": "default", "priority": "0", "attempt": "1", "submitted_at": "1000"}
    ended = {**fields, "finished_at": "2000"}
    assert any_store.jobs.recover("old", {}, ended, outcome=Outcome.SUCCEEDED, reason="")
    any_store.identity.note_recovery()
    assert list(any_store.selection.ids(Filters(newer_s=3600))) == ["new"]
    assert list(any_store.selection.ids(Filters(older_s=3600), oldest_first=True)) == ["old"]


def test_a_trial_that_is_not_submitted_yet_is_not_found(any_store: Store):
    any_store.redis.hset(keys.job("staged"), "name", "staged")
    any_store.redis.zadd(keys.JOBS, {"staged": 1})
    assert found(any_store) == []
