"""Lanes: jobs that are the same to the planner stand together, and all come and go by two doors."""

from __future__ import annotations

import json

import pytest

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, register, running, submit, wait_until


def lanes(store: Store) -> dict[tuple[str, ...], list[str]]:
    """Which jobs stand in which lane; each lane that is listed has a job, and each that has one is listed."""
    listed = store.redis.smembers(keys.LANES)
    assert {keys.pending(lane) for lane in listed} == set(store.redis.keys(keys.pending("*")))
    return {tuple(json.loads(lane)): store.redis.zrange(keys.pending(lane), 0, -1) for lane in listed}


def test_jobs_of_one_queue_one_user_and_one_need_share_a_lane(any_store: Store):
    submit(any_store, "a", user="ada", gpus="1")
    submit(any_store, "b", user="ada", gpus="1", priority=2)
    submit(any_store, "c", user="bob", gpus="1")
    submit(any_store, "d", user="ada", gpus="1", gpu_memory=5)
    submit(any_store, "e", user="ada", gpus="1", queue="big")
    assert lanes(any_store) == {
        ("default", "ada", "1", ""): ["b", "a"],
        ("default", "bob", "1", ""): ["c"],
        ("default", "ada", "1", "5"): ["d"],
        ("big", "ada", "1", ""): ["e"],
    }


@pytest.mark.parametrize("way", ["assign", "cancel", "hold"])
def test_whoever_leaves_last_takes_the_lane_along(any_store: Store, way: str):
    register(any_store, slots=2)
    for job_id in ("a", "b"):
        submit(any_store, job_id)
    for job_id, left in (("a", ["b"]), ("b", [])):
        if way == "assign":
            assigned(any_store, job_id)
        elif way == "cancel":
            any_store.jobs.cancel(job_id, "")
        else:
            any_store.jobs.hold(job_id, "held")
        assert list(lanes(any_store).values()) == ([left] if left else [])


def test_a_job_that_comes_back_stands_in_its_lane_again(any_store: Store):
    register(any_store)
    submit(any_store, "a", user="ada")
    attempt = running(any_store, "a")
    assert lanes(any_store) == {}
    any_store.jobs.requeue("a", attempt, "")
    assert lanes(any_store) == {("default", "ada", "", ""): ["a"]}


# --- how many jobs each user has -------------------------------------------------------------------


def usage(store: Store) -> dict[str, str]:
    return store.redis.hgetall(keys.USAGE)


def test_a_user_is_counted_for_every_job_assigned_or_running(any_store: Store):
    register(any_store, slots=3)
    for job_id, user in (("a", "ada"), ("b", "ada"), ("c", "bob")):
        submit(any_store, job_id, user=user)
    running(any_store, "a")
    assigned(any_store, "b")
    assigned(any_store, "c")
    assert usage(any_store) == {"ada": "2", "bob": "1"}
    any_store.jobs.finish("a", 1, Outcome.FAILED, "")
    any_store.jobs.cancel("c", "")
    assert usage(any_store) == {"ada": "1"}
    any_store.jobs.requeue("b", 1, "")
    assert usage(any_store) == {}


@pytest.mark.parametrize("way", ["lost", "not started", "held"])
def test_a_job_that_comes_back_is_counted_no_more(any_store: Store, way: str):
    register(any_store)
    submit(any_store, "a", user="ada")
    if way == "lost":
        running(any_store, "a", lease_s=-1)
        assert any_store.jobs.reap("a", 1, delay_s=0, reason="") == "requeued"
    elif way == "held":
        assigned(any_store, "a")
        any_store.jobs.hold("a", "held")
    else:
        assigned(any_store, "a", start_within_s=-1)
        wait_until(any_store.jobs.promote)
    assert usage(any_store) == {}
