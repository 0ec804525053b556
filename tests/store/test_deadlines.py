"""Jobs with a time before which they do not start, and a time that they wait at most."""

from __future__ import annotations

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.store.streams import BEGINNING
from tests.store.test_after import submit_after
from tests.support import assigned, end_of_time, now_ms, register, running, status, submit, wait_until


def submit_with(store: Store, job_id: str, **fields: str | int) -> str:
    given = {"name": job_id, "queue": "default", "priority": 0, **fields}
    assert store.jobs.submit(job_id, {}, given) == job_id
    return job_id


def test_a_job_waits_for_its_time_and_goes_to_its_queue_then(any_store: Store):
    submit_with(any_store, "j", due_at=now_ms(any_store) + 80)
    record = any_store.jobs.get("j")
    assert (record.status, record.reason) == (Status.WAITING, "waits for its time")
    wait_until(lambda: any_store.jobs.promote() == 1, what="its time")
    assert status(any_store, "j") == Status.QUEUED


def test_a_time_that_is_over_keeps_nobody(any_store: Store):
    submit_with(any_store, "j", due_at=now_ms(any_store) - 1000)
    assert status(any_store, "j") == Status.QUEUED


def test_a_job_waits_for_its_parents_first_and_then_for_its_time(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a", due_at=now_ms(any_store) + 60_000)
    attempt = register(any_store) and running(any_store, "a")
    assert any_store.jobs.finish("a", attempt, Outcome.SUCCEEDED, "")
    assert (status(any_store, "b"), any_store.jobs.get("b").reason) == (Status.WAITING, "waits for its time")


def test_a_job_that_is_tried_again_does_not_wait_for_a_time_that_it_had(any_store: Store):
    submit_with(any_store, "j", due_at=now_ms(any_store) + 60_000)
    any_store.jobs.cancel("j", "")
    any_store.jobs.retry("j")
    assert status(any_store, "j") == Status.QUEUED
    assert any_store.redis.zrange(keys.WAITING, 0, -1) == []


def test_a_job_that_found_no_worker_in_its_time_has_run_out_of_it(any_store: Store):
    submit_with(any_store, "j", wait_timeout=60)
    wait_until(lambda: any_store.jobs.promote() == 1, what="the end of its patience")
    record = any_store.jobs.get("j")
    assert (record.outcome, record.reason) == (Outcome.TIMED_OUT, "waited longer than 0.1s for a worker")
    assert any_store.jobs.pending() == []
    assert any_store.redis.zcard(keys.OVERDUE) == 0


def test_a_job_that_has_started_waits_as_long_as_it_takes(any_store: Store):
    register(any_store)
    submit_with(any_store, "j", wait_timeout=3_600_000)
    assert any_store.redis.zrange(keys.OVERDUE, 0, -1) == ["j"]
    any_store.jobs.requeue("j", running(any_store, "j"), "its worker shut down")
    assert any_store.redis.zcard(keys.OVERDUE) == 0


def test_the_clock_of_a_job_that_was_assigned_in_vain_goes_on(any_store: Store):
    register(any_store)
    submit_with(any_store, "j", wait_timeout=3_600_000)
    before = any_store.redis.zscore(keys.OVERDUE, "j")
    any_store.jobs.requeue("j", assigned(any_store, "j"), "its worker shut down")
    assert any_store.redis.zscore(keys.OVERDUE, "j") == before


def test_the_clock_does_not_run_while_something_else_than_a_worker_is_waited_for(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a", wait_timeout=60_000)
    submit_with(any_store, "c", wait_timeout=60_000)
    any_store.jobs.hold("c", "held")
    assert any_store.redis.zcard(keys.OVERDUE) == 0
    any_store.jobs.release("c")
    assert any_store.redis.zrange(keys.OVERDUE, 0, -1) == ["c"]


def test_a_job_that_ends_before_is_forgotten(any_store: Store):
    submit_with(any_store, "j", wait_timeout=3_600_000)
    any_store.jobs.cancel("j", "")
    assert any_store.redis.zcard(keys.OVERDUE) == 0
    any_store.jobs.retry("j")
    assert any_store.redis.zcard(keys.OVERDUE) == 1, "and its clock begins anew with a retry"


def test_spans_are_said_as_people_say_them(any_store: Store):
    for job_id, ms, said in [("a", 7_200_000, "2h 00m"), ("b", 5_400_000, "1h 30m"), ("c", 61_000, "1m 01s")]:
        submit_with(any_store, job_id, wait_timeout=ms)
        end_of_time(any_store, keys.OVERDUE, job_id)
        any_store.jobs.promote()
        assert any_store.jobs.get(job_id).reason == f"waited longer than {said} for a worker"


def test_whoever_follows_changes_hears_a_sentence(any_store: Store):
    submit_with(any_store, "j", wait_timeout=3_600_000)
    end_of_time(any_store, keys.OVERDUE, "j")
    any_store.jobs.promote()
    _, changes = any_store.streams.changes(BEGINNING)
    assert changes[-1].reason == "waited longer than 1h 00m for a worker"
