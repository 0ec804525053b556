"""Waiting for jobs, whatever becomes of them and of Redis meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fusionq.client import patience as patience_module
from fusionq.client import wait as wait_module
from fusionq.client.wait import wait_for_jobs
from fusionq.errors import StoreUnavailableError
from fusionq.spec.states import Outcome, Status
from fusionq.store.jobs import Jobs
from fusionq.store.store import Store
from fusionq.store.streams import Streams
from tests.support import register, running, submit

LONG_S = 60.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed at once."""
    monkeypatch.setattr(wait_module, "LONGEST_BLOCK_S", 0.01)
    monkeypatch.setattr(patience_module, "RETRY_S", 0.001)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Does something at the first wait for events."""
    changes, done = Streams.changes, []

    def wait(self: Streams, *args):
        if not done:
            done.append(True)
            act()
        return changes(self, *args)

    monkeypatch.setattr(Streams, "changes", wait)


def test_an_end_counts_though_the_job_was_queued_again_at_once(store: Store, monkeypatch):
    register(store)
    submit(store, "job")
    attempt = running(store, "job")

    def end_and_retry() -> None:
        store.jobs.finish("job", attempt, Outcome.FAILED, "oops")
        assert store.jobs.retry("job") == "retried"

    meanwhile(monkeypatch, end_and_retry)
    [record] = wait_for_jobs(store, ["job"], timeout_s=LONG_S)
    assert (record.status, record.outcome, record.reason) == (Status.FINISHED, Outcome.FAILED, "oops")
    assert store.jobs.get("job").status is Status.QUEUED


def test_an_end_before_the_first_look_counts_from_the_event_that_was_seen(store: Store):
    register(store)
    submit(store, "job")
    attempt = running(store, "job")
    seen = store.streams.last_event()
    store.jobs.finish("job", attempt, Outcome.CANCELLED, "")
    store.jobs.retry("job")
    [record] = wait_for_jobs(store, ["job"], seen=seen, timeout_s=LONG_S)
    assert record.outcome is Outcome.CANCELLED


def test_a_job_that_is_removed_is_not_waited_for(store: Store, monkeypatch, quick: None):
    submit(store, "one")
    submit(store, "two")

    def end() -> None:
        store.jobs.cancel("one", "")
        store.jobs.cancel("two", "")
        store.removal.remove(["one"])

    meanwhile(monkeypatch, end)
    assert [record.id for record in wait_for_jobs(store, ["one", "two"], timeout_s=LONG_S)] == ["two"]


def test_only_the_jobs_that_changed_are_read_again(store: Store, monkeypatch):
    ids = [f"job{number}" for number in range(5)]
    for job_id in (*ids, "other"):
        submit(store, job_id)
    get_many, read = Jobs.get_many, []

    def count(self: Jobs, job_ids):
        read.append(list(job_ids))
        return get_many(self, read[-1])

    monkeypatch.setattr(Jobs, "get_many", count)

    def cancel(number: int) -> None:
        store.jobs.cancel("other", "")
        store.jobs.cancel(ids[number], "")
        if number + 1 < len(ids):
            meanwhile(monkeypatch, lambda: cancel(number + 1))

    meanwhile(monkeypatch, lambda: cancel(0))
    assert len(wait_for_jobs(store, ids, timeout_s=LONG_S)) == 5
    assert read == [ids, *([job_id] for job_id in ids)]


def test_the_time_ends_though_redis_is_away(store: Store, monkeypatch, quick: None):
    submit(store, "job")

    def fail(self: Streams, *args):
        raise StoreUnavailableError("no connection")

    monkeypatch.setattr(Streams, "changes", fail)
    with pytest.raises(TimeoutError, match=r"job is not finished after 0\.05 s"):
        wait_for_jobs(store, ["job"], timeout_s=0.05)


def test_silence_lets_somebody_look_whether_it_makes_sense_to_wait(store: Store, quick: None):
    submit(store, "job")

    def check() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        wait_for_jobs(store, ["job"], check=check, timeout_s=LONG_S)
