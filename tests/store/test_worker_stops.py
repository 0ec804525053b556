"""Workers are told to leave by a word in their record and on their channel."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError
from fusionq.spec.states import Status
from fusionq.spec.stops import DRAIN, LEAVE, LEAVE_NOW
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, register, running, status, submit


def test_a_worker_that_is_to_leave_gets_no_job_though_it_has_not_heard_yet(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assert any_store.workers.stop("worker", DRAIN)
    register(any_store, accepting=True)  # its heartbeat of the same moment
    assert any_store.jobs.assign("j", "worker", (), 60) == 0
    assert any_store.workers.alive()[0].state_word == "draining"


def test_what_it_has_not_started_goes_back_and_what_runs_stays(any_store: Store):
    register(any_store, slots=2)
    submit(any_store, "started")
    submit(any_store, "not-started")
    running(any_store, "started")
    attempt = assigned(any_store, "not-started")
    any_store.workers.stop("worker", LEAVE)
    assert status(any_store, "started") is Status.RUNNING
    record = any_store.jobs.get("not-started")
    assert (record.status, record.losses, record.worker) == (Status.QUEUED, 0, "")
    assert not any_store.jobs.start("not-started", attempt, 60, "")


def test_a_later_word_counts_only_where_it_is_in_more_haste(any_store: Store):
    register(any_store)
    heard = []
    for word in (LEAVE, DRAIN, LEAVE_NOW, LEAVE):
        any_store.workers.stop("worker", word)
        heard.append(any_store.workers.asked_to("worker", "token"))
    assert heard == [LEAVE, LEAVE, LEAVE_NOW, LEAVE_NOW]


def test_it_hears_the_word_at_once_with_the_token_that_it_is_for(store: Store):
    register(store, token="mine")
    with store.redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.stop_channel("worker"))
        channel.get_message(timeout=1)
        store.workers.stop("worker", LEAVE)
        assert channel.get_message(timeout=1)["data"] == f"worker {LEAVE} mine"


def test_a_later_life_of_the_same_name_is_not_asked(any_store: Store):
    register(any_store, token="first")
    any_store.workers.stop("worker", LEAVE)
    assert any_store.workers.asked_to("worker", "second") == ""
    any_store.redis.zadd(keys.WORKERS, {"worker": 0})
    register(any_store, token="second")
    assert any_store.workers.asked_to("worker", "second") == ""
    assert any_store.workers.alive()[0].state_word == "ready"


def test_nobody_is_told_where_no_such_worker_lives(any_store: Store):
    assert not any_store.workers.stop("worker", LEAVE)
    register(any_store)
    any_store.redis.zadd(keys.WORKERS, {"worker": 0})
    assert not any_store.workers.stop("worker", LEAVE)
    register(any_store, "box")
    with pytest.raises(NotFoundError, match="no worker 'bx' is alive; alive are: box"):
        any_store.workers.find("bx")
