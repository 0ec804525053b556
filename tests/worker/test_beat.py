"""The beat: leases are held, lost jobs are let go, cancellations are heard, things are seen to."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from fusionq.errors import StoreUnavailableError
from fusionq.spec.stops import DRAIN, LEAVE, LEAVE_NOW
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.worker import heartbeat as beat_module
from fusionq.worker import lease_guard as leash
from fusionq.worker.heartbeat import say
from fusionq.worker.running_attempts import CANCEL, LOST, SHUTDOWN, Attempt
from fusionq.worker.worker import Node
from tests.support import register, wait_until
from tests.worker.fakes import put, runs

LONG_S = 60.0


def pending_messages(node: Node) -> int:
    return node.store.redis.llen(f"{keys.CELERY_PREFIX}{node.queue}")


def lease_of(node: Node, job_id: str = "job") -> float:
    return node.store.redis.zscore(keys.LEASES, job_id) or 0.0


# --- Redis ---------------------------------------------------------------------------------------


def test_an_embedded_redis_that_died_is_started_again(make_node, make_beat, settings):
    node = make_node(name="w", at=Store.open(settings), lease_s=1.0)
    make_beat(node)
    wait_until(lambda: node.store.workers.alive()[0].accepting, what="the worker ready")
    first = node.store.redis.info("server")["process_id"]
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        with suppress(StoreUnavailableError):
            return node.store.redis.info("server")["process_id"] != first
        return False

    wait_until(is_back, what="another Redis", timeout_s=30)


# --- leases ----------------------------------------------------------------------------------------


def test_a_job_that_nobody_sees_to_loses_its_lease_and_is_let_go(
    make_node, make_beat, monkeypatch: pytest.MonkeyPatch
):
    node = make_node(name="w", lease_s=1.0, slots=2, accepting=True)
    seen_to, stuck = runs(node, "seen_to", lease_s=1.0), runs(node, "stuck", lease_s=1.0)
    monkeypatch.setattr(Attempt, "is_stuck", property(lambda attempt: attempt is stuck))
    make_beat(node)
    wait_until(lambda: lease_of(node, "stuck") == 0.0, timeout_s=30, what="the lease reaped")
    assert node.store.jobs.get("stuck").failure == "lost_lease"
    wait_until(lambda: stuck.stop_reason == LOST, what="our copy let go")
    assert (seen_to.stop_reason, node.store.jobs.get("seen_to").status) == ("", "running")


def test_a_job_that_nobody_sees_to_and_was_removed_is_let_go_and_the_others_keep_their_leases(
    make_node, make_beat, monkeypatch: pytest.MonkeyPatch
):
    node = make_node(name="w", lease_s=1.0, slots=2, accepting=True)
    kept, stuck = runs(node, "kept", lease_s=1.0), runs(node, "stuck", lease_s=1.0)
    monkeypatch.setattr(Attempt, "is_stuck", property(lambda attempt: attempt is stuck))
    node.store.redis.delete(keys.job("stuck"))
    before = lease_of(node, "kept")
    make_beat(node)
    wait_until(lambda: lease_of(node, "kept") > before + 500, timeout_s=LONG_S, what="a later lease")
    assert (kept.stop_reason, stuck.stop_reason) == ("", LOST)


@pytest.mark.parametrize("fault", ["gpus", "name", "answer"])
def test_leases_are_renewed_whatever_else_goes_wrong(make_node, make_beat, monkeypatch, fault: str):
    node = make_node(name="w", lease_s=1.0, accepting=True)
    runs(node, lease_s=1.0)
    before, hangs = lease_of(node), threading.Event()

    def refuse() -> None:
        raise ResponseError("an answer that nobody thought of")

    make_beat(node)  # a driver that hangs from the start lets no worker begin
    if fault == "gpus":
        monkeypatch.setattr(node, "look_at_gpus", hangs.wait)
    elif fault == "name":
        monkeypatch.setattr(node, "register", refuse)
    else:
        monkeypatch.setattr(node.store.jobs, "first_lease_ends_in", refuse)
    wait_until(lambda: lease_of(node) > before + 1500, timeout_s=LONG_S, what="later leases")
    hangs.set()


def test_a_beat_makes_the_worker_known_and_ready(make_node, make_beat):
    node = make_node(name="w")
    assert not node.store.workers.alive()[0].accepting
    make_beat(node)
    wait_until(lambda: node.store.workers.alive()[0].accepting, what="the worker ready")


def test_a_beat_renews_the_leases_of_what_runs(make_node, make_beat):
    node = make_node(name="w", lease_s=1.0, accepting=True)
    attempt = runs(node, lease_s=1.0)
    before = lease_of(node)
    make_beat(node)
    wait_until(lambda: lease_of(node) > before + 500, what="a later lease")
    assert attempt.stop_reason == ""


def test_a_job_that_was_taken_away_is_let_go_at_once(node: Node, make_beat):
    attempt = runs(node)
    node.store.jobs.requeue("job", attempt.number, "taken")
    make_beat(node)
    wait_until(lambda: attempt.stop_reason == LOST, what="the loss noticed")
    assert attempt.hurry


def test_of_two_jobs_only_the_lost_one_is_let_go(make_node, make_beat):
    node = make_node(name="w", slots=2, accepting=True)
    kept, lost = runs(node, "a"), runs(node, "b")
    node.store.jobs.requeue("b", lost.number, "taken")
    make_beat(node)
    wait_until(lambda: lost.stop_reason == LOST, what="the loss noticed")
    assert kept.stop_reason == ""


def test_a_worker_whose_name_was_taken_takes_nothing_more(node: Node, make_beat):
    node.store.redis.zadd(keys.WORKERS, {"w": 0})  # it was silent for too long
    register(node.store, "w", token="another")
    make_beat(node)
    wait_until(lambda: not node.is_accepting, what="the worker notices")


# --- cancellations ---------------------------------------------------------------------------------


def test_a_cancellation_is_heard_long_before_the_next_beat(node: Node, make_beat):
    attempt = runs(node)
    make_beat(node)
    channel = keys.stop_channel("w")
    wait_until(lambda: node.store.redis.pubsub_numsub(channel)[0][1] == 1, what="the listener")
    assert node.store.jobs.cancel("job", "") == "asked"
    wait_until(lambda: attempt.stop_reason == CANCEL, what="the cancellation heard")


def test_a_cancellation_that_was_not_heard_is_found_by_the_beat(node: Node, make_beat):
    attempt = runs(node)
    node.store.jobs.cancel("job", "")  # before anybody listens
    make_beat(node)
    wait_until(lambda: attempt.stop_reason == CANCEL, what="the cancellation found")


# --- outages ---------------------------------------------------------------------------------------


def test_an_outage_stops_neither_the_beat_nor_the_jobs(make_node, make_beat, monkeypatch):
    node = make_node(name="w", lease_s=1.0, accepting=True)
    attempt = runs(node, lease_s=1.0)
    before = lease_of(node)
    renew, calls = node.store.jobs.renew, []

    def unsteady(*args):
        calls.append(1)
        if len(calls) == 1:
            raise StoreUnavailableError("gone")
        if len(calls) == 2:
            raise ValueError("and something nobody thought of")
        return renew(*args)

    monkeypatch.setattr(node.store.jobs, "renew", unsteady)
    make_beat(node)
    wait_until(lambda: lease_of(node) > before + 600, what="the beat after the outage")
    assert attempt.stop_reason == ""


@pytest.mark.parametrize("is_for_all", [True, False])
def test_jobs_train_on_through_an_outage_only_where_nobody_can_take_them(make_node, make_beat, is_for_all):
    node = make_node(name="w", lease_s=1.0, accepting=True)
    attempt = runs(node, lease_s=1.0)
    outages = []

    def gone(*args):
        outages.append(1)
        error = StoreUnavailableError("gone")
        error.is_for_all = is_for_all
        raise error

    node.store.jobs.renew = gone
    make_beat(node)
    wait_until(lambda: len(outages) == 2, what="an outage")
    assert (attempt.held_until > leash.now()) is is_for_all
    assert attempt.stop_reason == ""


def test_a_renewed_lease_lengthens_the_leash(make_node, make_beat):
    node = make_node(name="w", lease_s=2.0, accepting=True)
    attempt = runs(node)
    make_beat(node)
    wait_until(lambda: attempt.held_until > leash.now() + 1, what="the leash lengthened")
    assert attempt.held_until < leash.now() + 2, "it ends before the lease"


# --- seeing to things ------------------------------------------------------------------------------


def test_a_pending_job_makes_it_ask_for_a_pass(node: Node, make_beat):
    put(node.store)
    make_beat(node)
    wait_until(lambda: pending_messages(node) == 1, what="a message")


def test_with_nothing_to_do_it_asks_for_nothing(node: Node, make_beat):
    runs(node)
    before = lease_of(node)
    beat = make_beat(node)
    wait_until(lambda: lease_of(node) != before, what="a beat")
    beat.stop()
    assert pending_messages(node) == 0


def test_a_job_that_nobody_started_goes_back(node: Node, make_beat):
    put(node.store)
    node.store.jobs.assign("job", "w", (), start_within_s=-1)
    make_beat(node)
    wait_until(lambda: node.store.jobs.get("job").status == "queued", what="the job back in its queue")


def test_a_worker_that_leaves_holds_its_leases_and_sees_to_nothing_else(node: Node, make_beat):
    runs(node, "mine")
    put(node.store, "pending")
    before = lease_of(node, "mine")
    node.begin_to_stop(hurry=False)
    beat = make_beat(node)
    wait_until(lambda: lease_of(node, "mine") != before, what="a beat")
    beat.stop()
    assert pending_messages(node) == 0


# --- leaving when idle -----------------------------------------------------------------------------


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the worker would have sent itself."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(beat_module, "IDLE_S", 0.03)
    return sent


def test_an_idle_worker_leaves_where_it_was_told_to(make_node, make_beat, signals):
    make_beat(make_node(name="w", exit_when_idle=True))
    wait_until(lambda: signals, what="its leave")
    assert signals[0] == (os.getpid(), signal.SIGTERM)


def test_a_worker_with_a_job_is_not_idle(make_node, make_beat, signals):
    node = make_node(name="w", exit_when_idle=True, lease_s=60, accepting=True)
    attempt = runs(node)
    leases = set()
    make_beat(node)

    def has_beaten_often() -> bool:
        leases.add(lease_of(node))
        return len(leases) > 8

    wait_until(has_beaten_often, what="several beats")
    assert not signals
    node.store.jobs.finish("job", attempt.number, "succeeded", "")
    node.running.remove(attempt)
    wait_until(lambda: signals, what="its leave")


def test_a_worker_that_may_stay_stays(node: Node, make_beat, signals):
    runs(node)
    before = lease_of(node)
    make_beat(node)
    wait_until(lambda: lease_of(node) != before, what="a beat")
    assert not signals


# --- being told to leave ---------------------------------------------------------------------------


def listens(node: Node) -> None:
    channel = keys.stop_channel(node.name)
    wait_until(lambda: node.store.redis.pubsub_numsub(channel)[0][1] == 1, what="the listener")


def test_a_worker_that_is_told_to_leave_ends_as_by_one_signal(node: Node, make_beat, signals):
    make_beat(node)
    listens(node)
    node.store.workers.stop("w", LEAVE)
    wait_until(lambda: signals, what="its leave")
    node.obey(LEAVE)  # the beat finds the same word
    assert signals == [(os.getpid(), signal.SIGTERM)]


def test_a_word_that_was_not_heard_is_found_by_the_beat(node: Node, make_beat, signals):
    node.store.workers.stop("w", LEAVE)  # before anybody listens
    make_beat(node)
    wait_until(lambda: signals, what="its leave")


def test_a_worker_that_drains_leaves_when_its_last_job_is_over(node: Node, make_beat, signals):
    attempt = runs(node)
    make_beat(node)
    listens(node)
    node.store.workers.stop("w", DRAIN)
    wait_until(lambda: node.is_draining, what="the word heard")
    assert (attempt.stop_reason, signals) == ("", [])
    node.store.jobs.finish("job", attempt.number, "succeeded", "")
    node.running.remove(attempt)
    node.end_if_drained()
    assert len(signals) == 1


def test_a_worker_that_is_told_to_leave_now_gives_its_jobs_no_time(node: Node, make_beat, signals):
    attempt = runs(node)
    make_beat(node)
    listens(node)
    node.store.workers.stop("w", LEAVE_NOW)
    wait_until(lambda: signals, what="its leave")
    assert (attempt.stop_reason, attempt.hurry) == (SHUTDOWN, True)


def test_a_word_for_an_earlier_life_is_not_for_us(node: Node, make_beat, signals):
    make_beat(node)
    listens(node)
    for token in ("another", node.token):
        node.store.redis.publish(keys.stop_channel("w"), f"worker {DRAIN} {token}")
        if token == "another":
            assert not node.is_draining
    wait_until(lambda: signals, what="its leave by the second word")


# --- words -----------------------------------------------------------------------------------------


def test_a_worker_says_what_it_is(make_node):
    assert say(make_node(name="w")) == "worker w is ready: 1 slot on CPU; queues default"
    node = make_node(name="x", slots=2, queues=("a", "b"))
    assert say(node) == "worker x is ready: 2 slots on CPU; queues a, b"


def test_the_reasons_to_stop_are_spelled_as_the_store_spells_them(node: Node):
    assert (CANCEL, LOST) == ("cancel", "lost")
    attempt = runs(node)
    node.store.jobs.cancel("job", "")
    assert node.store.jobs.renew([("job", attempt.number), ("job", 99)], 60) == [CANCEL, LOST]
    assert SHUTDOWN not in (CANCEL, LOST)
