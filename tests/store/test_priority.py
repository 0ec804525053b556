"""The place of a job among those that wait: exact, and changed at any time."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError
from fusionq.store.store import Store
from tests.store.swept import end, statuses, submit_sweep
from tests.support import register, running, submit


def order(store: Store) -> list[str]:
    return [job.id for job in store.jobs.pending()]


def test_a_changed_priority_changes_the_order_at_once(any_store: Store):
    for job_id in "abc":
        submit(any_store, job_id)
    assert any_store.jobs.set_priority("c", 10) == {"changed": 1}
    assert any_store.jobs.set_priority("a", -1) == {"changed": 1}
    assert order(any_store) == ["c", "b", "a"]
    assert any_store.jobs.get("c").priority == 10


def test_within_a_priority_who_came_first_goes_first_whatever_was_changed(any_store: Store):
    for job_id in "abc":
        submit(any_store, job_id)
    for job_id in "cba":
        any_store.jobs.set_priority(job_id, 5)
    assert order(any_store) == ["a", "b", "c"]


def test_a_running_job_keeps_its_new_priority_for_when_it_comes_back(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    attempt = running(any_store, "a")
    submit(any_store, "b")
    assert any_store.jobs.set_priority("a", -5) == {"changed": 1}
    any_store.jobs.requeue("a", attempt, "")
    assert order(any_store) == ["b", "a"]


def test_a_job_that_has_ended_has_no_place_to_change(any_store: Store):
    submit(any_store, "a")
    any_store.jobs.cancel("a", "")
    assert any_store.jobs.set_priority("a", 5) == {"finished": 1}
    assert any_store.jobs.get("a").priority == 0
    with pytest.raises(NotFoundError):
        any_store.jobs.set_priority("x", 5)


def test_a_sweep_means_all_its_trials_and_one_trial_may_go_before_the_others(any_store: Store):
    submit(any_store, "a")
    submit_sweep(any_store, "abc", 3, max_parallel=1)
    assert any_store.jobs.set_priority("abc", 3) == {"changed": 3}
    assert any_store.sweeps.get("abc").priority == 3
    assert order(any_store) == ["abc-1", "a"]
    any_store.jobs.set_priority("abc-3", 4)
    end(any_store, "abc-1")
    assert statuses(any_store, "abc") == "fwq"
