"""Queues as a whole: paused, counted, cleared, and how many of their jobs go before one."""

from __future__ import annotations

from random import Random

import pytest

from fusionq.errors import UsageError
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import submit_sweep
from tests.support import assigned, register, running, status, submit


def test_a_paused_queue_starts_nothing_until_it_goes_on(any_store: Store):
    register(any_store)
    submit(any_store, "a", queue="big")
    any_store.queues.pause("big", "maintenance")
    assert any_store.queues.paused() == {"big": "maintenance"}
    assert any_store.jobs.assign("a", "worker", (), 60) == 0
    assert any_store.queues.resume("big")
    assert assigned(any_store, "a") == 1
    assert not any_store.queues.resume("big")


def test_a_job_that_runs_goes_on_in_a_paused_queue(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    attempt = running(any_store, "a")
    any_store.queues.pause("default", "")
    assert any_store.jobs.renew([("a", attempt)], 60) == [""]


def test_the_order_is_fair_until_somebody_wants_another(any_store: Store):
    assert any_store.queues.order() == "fair"
    any_store.queues.set_order("fifo")
    assert any_store.queues.order() == "fifo"
    with pytest.raises(UsageError, match="no order"):
        any_store.queues.set_order("lifo")


def test_jobs_are_counted_by_queue(any_store: Store):
    register(any_store, slots=2)
    for job_id, queue, user in [("a", "x", "ada"), ("b", "x", "bob"), ("c", "x", "ada"), ("d", "y", "ada")]:
        submit(any_store, job_id, queue=queue, user=user)
    assigned(any_store, "a")
    running(any_store, "d")
    assert {queue: tuple(it)[:2] for queue, it in any_store.queues.counts().items()} == {
        "x": (2, 1),
        "y": (0, 1),
    }


@pytest.mark.parametrize("way", ["cancelled", "ended", "held and cancelled"])
def test_a_queue_is_forgotten_with_its_last_job_and_known_again_with_the_next(any_store: Store, way: str):
    submit(any_store, "a", queue="nite")
    if way == "held and cancelled":
        any_store.jobs.hold("a", "")
        assert set(any_store.queues.counts()) == {"nite"}
    if way == "ended":
        register(any_store)
        assert any_store.jobs.finish("a", running(any_store, "a"), Outcome.FAILED, "")
    else:
        any_store.jobs.cancel("a", "")
    assert set(any_store.queues.counts()) == set()
    assert not any_store.redis.exists(keys.QUEUE_JOBS)
    any_store.jobs.retry("a")
    assert set(any_store.queues.counts()) == {"nite"}


def test_a_queue_with_a_worker_or_a_pause_stays(any_store: Store):
    register(any_store, queues='["served"]')
    any_store.queues.pause("stopped", "by ada")
    for queue in ("served", "stopped", "nite"):
        submit(any_store, queue, queue=queue)
        any_store.jobs.cancel(queue, "")
    assert {queue: tuple(it) for queue, it in any_store.queues.counts().items()} == {
        "served": (0, 0, 0.0),
        "stopped": (0, 0, 0.0),
    }
    any_store.queues.resume("stopped")
    assert set(any_store.queues.counts()) == {"served"}


def test_the_age_of_a_queue_is_that_of_its_oldest_job_whatever_goes_before_it(store: Store):
    for job_id, priority in [("urgent", 5), ("low", -5), ("other", 0), ("later", 0)]:
        submit(store, job_id, priority=priority)
    now_ms = round(store.redis.time()[0] * 1000)
    for job_id, age_s in [("urgent", 10), ("low", 500), ("other", 40), ("later", 30)]:
        store.redis.hset(keys.job(job_id), "queued_at", now_ms - age_s * 1000)
    assert store.queues.counts()["default"].oldest_s == pytest.approx(500, abs=5)


def test_all_jobs_are_counted_by_their_state(any_store: Store):
    register(any_store, slots=4)
    for job_id in "abc":
        submit(any_store, job_id)
    attempt = running(any_store, "a")
    assigned(any_store, "b")
    assert _tally(any_store) == {"queued": 1, "assigned": 1, "running": 1}
    any_store.jobs.finish("a", attempt, "succeeded", "", {})
    any_store.jobs.cancel("c", "no")
    assert _tally(any_store) == {"assigned": 1, "succeeded": 1, "cancelled": 1}
    any_store.jobs.retry("c")
    any_store.removal.remove("a")
    assert _tally(any_store) == {"assigned": 1, "queued": 1}


def _tally(store: Store) -> dict[str, int]:
    return {state: count for state, count in store.queues.tally().items() if count}


def test_a_queue_is_cleared_of_its_jobs_that_run_or_are_about_to(any_store: Store):
    register(any_store, slots=4)
    for job_id, queue in [("a", "small"), ("b", "small"), ("c", "large")]:
        submit(any_store, job_id, queue=queue)
    attempt = running(any_store, "a")
    assigned(any_store, "b")
    other = running(any_store, "c")
    assert any_store.queues.clear("small") == 2
    assert any_store.jobs.renew([("a", attempt), ("c", other)], 60) == ["requeue", ""]
    assert status(any_store, "b") == Status.QUEUED
    assert any_store.redis.zrange(keys.ASSIGNED, 0, -1) == []


# --- how many go before a job ----------------------------------------------------------------------


def ahead(store: Store, *ids: str) -> dict[str, int]:
    return {job_id: place.ahead for job_id, place in store.queues.places(ids).items()}


def test_only_what_is_queued_has_a_place_and_only_its_queue_counts(any_store: Store):
    register(any_store)
    for job_id in ("a", "b", "c"):
        submit(any_store, job_id)
    submit(any_store, "other", queue="other")
    running(any_store, "a")
    assert ahead(any_store, "a", "c", "b", "other", "none") == {"c": 1, "b": 0, "other": 0}


def test_a_sweep_stands_where_its_first_queued_trial_does(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_sweep(any_store, "abc", 3)
    running(any_store, "abc-1")
    [place] = any_store.queues.places(["abc"]).values()
    assert (place.job_id, place.ahead) == ("abc-2", 1)


def in_turn(jobs: list[JobRecord], usage: dict[str, int], *, is_fair: bool) -> list[str]:
    """The order in which jobs go where room comes for one after the other."""
    left, order, has = list(jobs), [], dict(usage)
    while left:
        goes = min(left, key=lambda j: (-j.priority, has.get(j.user, 0) if is_fair else 0, j.sequence))
        left.remove(goes)
        order.append(goes.id)
        has[goes.user] = has.get(goes.user, 0) + 1
    return order


@pytest.mark.parametrize("seed", range(8))
def test_a_place_is_exact(any_store: Store, seed: int):
    random = Random(seed)
    register(any_store, slots=4)
    if seed % 4 == 3:
        any_store.queues.set_order("fifo")
    for number in range(30):
        submit(
            any_store,
            f"j{number}",
            priority=random.choice([-1, 0, 0, 2]),
            user=random.choice(["", "ada", "ada", "bob", "eve"]),
            gpus=random.choice(["0", "1"]),
        )
    for number in random.sample(range(30), 4):
        assigned(any_store, f"j{number}")
    any_store.jobs.set_priority(f"j{random.randrange(30)}", 1)
    usage = {user: int(count) for user, count in any_store.redis.hgetall(keys.USAGE).items()}
    expected = in_turn(any_store.jobs.pending(), usage, is_fair=seed % 4 != 3)
    places = ahead(any_store, *expected)
    assert sorted(places, key=places.__getitem__) == expected
    assert sorted(places.values()) == list(range(26))
