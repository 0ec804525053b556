"""In which order jobs go, and in which they are listed."""

from __future__ import annotations

from fusionq.store.store import Store
from tests.support import assigned, register, running, submit


def test_pending_jobs_go_by_priority_then_by_submission(any_store: Store):
    for job_id, priority in [("a", 0), ("b", 5), ("c", -1), ("d", 5), ("e", 1000), ("f", -1000), ("g", 0)]:
        submit(any_store, job_id, priority=priority)
    assert [job.id for job in any_store.jobs.pending()] == ["e", "b", "d", "a", "g", "c", "f"]


def test_pending_jobs_of_all_queues_are_in_one_order(any_store: Store):
    submit(any_store, "a", queue="one")
    submit(any_store, "b", queue="two", priority=1)
    submit(any_store, "c", queue="one", priority=2)
    assert [job.id for job in any_store.jobs.pending()] == ["c", "b", "a"]
    assert [job.id for job in any_store.jobs.pending(limit=1)] == ["c", "b"]


def test_a_job_that_comes_back_keeps_its_place(any_store: Store):
    register(any_store)
    for job_id in ("a", "b"):
        submit(any_store, job_id)
    assert any_store.jobs.requeue("a", running(any_store, "a"), "shutdown")
    assert [job.id for job in any_store.jobs.pending()] == ["a", "b"]


def test_the_newest_jobs_are_listed_oldest_first(any_store: Store):
    for job_id in ("a", "b", "c"):
        submit(any_store, job_id)
    assert [job.id for job in any_store.jobs.newest(2)] == ["b", "c"]
    assert [job.id for job in any_store.jobs.newest(9)] == ["a", "b", "c"]
    assert any_store.jobs.newest(0) == []


def test_records_come_in_the_order_that_was_asked_for(any_store: Store):
    for job_id in ("a", "b"):
        submit(any_store, job_id)
    assert [job.id for job in any_store.jobs.get_many(["b", "none", "a"])] == ["b", "a"]


def test_something_is_pending_until_all_run_or_ended(any_store: Store):
    register(any_store)
    assert not any_store.jobs.has_pending()
    submit(any_store, "a")
    assert any_store.jobs.has_pending()
    attempt = assigned(any_store, "a")
    assert any_store.jobs.has_pending()
    any_store.jobs.start("a", attempt, 60, "")
    assert not any_store.jobs.has_pending()
    any_store.jobs.requeue("a", attempt, "later", delay_s=60)
    assert any_store.jobs.has_pending()
