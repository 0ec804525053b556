"""Cancelling a job, wherever it is."""

from __future__ import annotations

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import await_lease_end, register, running, status, submit, wait_until

SHORT_S = 0.05


def test_a_queued_job_is_cancelled_at_once_and_never_starts(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assert any_store.jobs.cancel("j", "cancelled by the user") == "cancelled"
    record = any_store.jobs.get("j")
    assert (record.outcome, record.reason) == (Outcome.CANCELLED, "cancelled by the user")
    assert any_store.jobs.pending() == []
    assert any_store.jobs.assign("j", "worker", (), 60) == 0


def test_an_assigned_job_is_cancelled_at_once_and_never_starts(any_store: Store):
    register(any_store, gpus=[0])
    submit(any_store, "j")
    attempt = any_store.jobs.assign("j", "worker", (0,), 60)
    assert any_store.jobs.cancel("j", "enough") == "cancelled"
    assert not any_store.jobs.start("j", attempt, 60, "x")
    (worker,) = any_store.workers.alive()
    assert (worker.jobs, worker.busy_gpus) == ((), ())


def test_a_waiting_job_is_cancelled_at_once_and_never_comes_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    any_store.jobs.requeue("j", running(any_store, "j"), "later", delay_s=SHORT_S)
    assert any_store.jobs.cancel("j", "enough") == "cancelled"
    assert any_store.redis.zcard(keys.WAITING) == 0


def test_a_running_job_is_asked_to_stop_and_its_worker_hears_of_it(store: Store):
    register(store)
    submit(store, "j")
    attempt = running(store, "j")
    with store.redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.stop_channel("worker"))
        channel.get_message(timeout=1)  # that we are subscribed
        assert store.jobs.cancel("j", "enough") == "asked"
        heard = wait_until(lambda: channel.get_message(timeout=0.1), what="the message to the worker")
    assert (heard["channel"], heard["data"]) == ("fusionq:stop:worker", "cancel j")
    assert status(store, "j") == Status.RUNNING
    assert store.jobs.renew([("j", attempt)], 60) == ["cancel"]
    assert store.jobs.cancel("j", "enough") == "asked"
    assert store.jobs.cancel("j", "enough", now=True) == "asked"
    assert store.jobs.cancel("j", "enough") == "asked"
    assert store.jobs.renew([("j", attempt)], 60) == ["cancel_now"], "who is in a hurry stays so"
    assert store.jobs.finish("j", attempt, Outcome.CANCELLED, "cancelled by the user")
    assert store.jobs.get("j").stop_requested == ""


def test_a_job_that_was_to_be_cancelled_does_not_go_back_to_its_queue(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    any_store.jobs.cancel("j", "enough")
    assert any_store.jobs.requeue("j", attempt, "shutdown")
    record = any_store.jobs.get("j")
    assert (record.status, record.outcome) == (Status.FINISHED, Outcome.CANCELLED)


def test_a_job_that_was_to_be_cancelled_is_not_revived_when_its_worker_is_lost(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j", lease_s=SHORT_S)
    any_store.jobs.cancel("j", "enough")
    await_lease_end(any_store, "j")
    assert any_store.jobs.reap("j", attempt, delay_s=0, reason="lost") == "failed"
    record = any_store.jobs.get("j")
    assert (record.outcome, record.losses) == (Outcome.CANCELLED, 0)
    assert "its worker was lost" in record.reason
