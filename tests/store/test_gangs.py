"""Jobs on several workers: reserved together, given back together, and what the workers tell each other."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import register, submit

MEMBERS = [("two", (0,)), ("three", (0, 1))]


@pytest.fixture
def gang(any_store: Store) -> Store:
    """A job `j` that is assigned to three workers."""
    for name, gpus in {"one": [0], "two": [0], "three": [0, 1]}.items():
        register(any_store, name, gpus=gpus, token=name)
    submit(any_store, "j", gpus="1")
    assert any_store.jobs.assign("j", "one", (0,), 60, MEMBERS) == 1
    return any_store


def held_by(store: Store) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    return {worker.name: (worker.jobs, worker.busy_gpus) for worker in store.workers.alive()}


def test_it_has_room_on_each_of_them(gang: Store):
    assert held_by(gang) == {"one": (("j",), (0,)), "two": (("j",), (0,)), "three": (("j",), (0, 1))}
    record = gang.jobs.get("j")
    assert (record.worker, record.assigned_gpus, record.members) == ("one", (0,), tuple(MEMBERS))


def test_without_room_on_one_of_them_nothing_is_taken(any_store: Store):
    register(any_store, "one", token="one")
    register(any_store, "two", token="two")
    for job_id in ("other", "j"):
        submit(any_store, job_id)
    any_store.jobs.assign("other", "two", (), 60)
    assert any_store.jobs.assign("j", "one", (), 60, [("two", ())]) == 0
    assert any_store.jobs.assign("j", "one", (), 60, [("nobody", ())]) == 0
    assert held_by(any_store) == {"one": ((), ()), "two": (("other",), ())}


@pytest.mark.parametrize("way", ["finish", "requeue", "cancel"])
def test_all_of_it_is_given_back(gang: Store, way: str):
    gang.gangs.note_meeting("j", 1, "h:1")
    if way == "cancel":
        gang.jobs.cancel("j", "x")
    else:
        gang.jobs.start("j", 1, 60, "x", "one")
        if way == "finish":
            gang.jobs.finish("j", 1, Outcome.SUCCEEDED, "")
        else:
            gang.jobs.requeue("j", 1, "x")
    assert set(held_by(gang).values()) == {((), ())}
    assert not gang.redis.exists(keys.gang("j"), keys.USAGE)


def test_the_next_attempt_may_be_on_one_worker_alone(gang: Store):
    gang.jobs.requeue("j", 1, "x")
    assert gang.jobs.assign("j", "two", (0,), 60) == 2
    assert gang.jobs.get("j").members == ()
    assert gang.gangs.join("j", 2, "three") is None


def test_only_its_workers_join_and_only_this_attempt(gang: Store):
    assert gang.gangs.join("j", 1, "three") == (0, 1)
    assert gang.gangs.join("j", 1, "one") is None
    assert gang.gangs.join("j", 2, "three") is None
    assert gang.gangs.join("nothing", 1, "three") is None
    gang.jobs.requeue("j", 1, "x")
    assert gang.gangs.join("j", 1, "three") is None


def test_each_says_with_its_heartbeat_that_its_part_lives(gang: Store):
    gang.redis.hincrby(keys.gang("j"), "two", -5000)
    silent = gang.gangs.read("j").silent_s
    assert silent["two"] == pytest.approx(5.0, abs=1.0)
    assert silent["three"] < 1.0
    assert gang.jobs.renew([("j", 1)], 60, "two") == [""]  # also before the first of them has begun
    assert gang.gangs.read("j").silent_s["two"] < 1.0
    gang.jobs.start("j", 1, 60, "x", "one")
    lease = gang.redis.zscore(keys.LEASES, "j")
    assert gang.jobs.renew([("j", 1)], 600, "two") == [""]
    assert gang.redis.zscore(keys.LEASES, "j") == lease  # the lease is the first worker's
    gang.jobs.finish("j", 1, Outcome.SUCCEEDED, "")
    assert gang.jobs.renew([("j", 1)], 60, "two") == ["lost"]


def test_what_they_tell_each_other_is_read(gang: Store):
    gang.gangs.note_meeting("j", 1, "10.0.0.1:4242")
    gang.gangs.note_error("j", 1, "error", "rank 1: odd")
    gang.gangs.note_done("j", 1, "two")
    gang.gangs.note_done("j", 7, "three")  # of another attempt
    read = gang.gangs.read("j")
    assert (read.meeting, read.error) == ("10.0.0.1:4242", {"class": "error", "reason": "rank 1: odd"})
    assert read.done == {"two"}
    assert set(read.silent_s) == {"two", "three"}


def test_a_job_that_is_over_is_told_nothing(gang: Store):
    gang.jobs.cancel("j", "x")
    gang.gangs.note_done("j", 1, "two")
    assert not gang.redis.exists(keys.gang("j"))


def test_any_of_them_may_ask_for_it_to_go_back(gang: Store):
    gang.gangs.ask_to_requeue("j", 1)
    assert gang.jobs.get("j").stop_requested == ""  # it does not run yet
    gang.jobs.start("j", 1, 60, "x", "one")
    gang.gangs.ask_to_requeue("j", 1)
    assert gang.jobs.renew([("j", 1)], 60, "one") == ["requeue"]
