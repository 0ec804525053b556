"""Jobs of dead workers go on elsewhere. Nobody is declared dead in haste."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.worker import reaper as reaper_module
from fusionq.worker.reaper import Reaper
from fusionq.worker.worker import Node
from tests.support import register, submit
from tests.worker.fakes import put

LEASE_S = 60.0


@pytest.fixture
def clock(stop_clock: Callable) -> Callable[[float], None]:
    """Moves the reaper's time on."""
    return stop_clock(reaper_module)


@pytest.fixture
def reaper(node: Node, clock: Callable, monkeypatch: pytest.MonkeyPatch) -> Reaper:
    """A reaper that has been connected, to a Redis that has been up, for long enough."""
    monkeypatch.setattr(node.store, "uptime_s", lambda: 3600.0)
    reaper = Reaper(node)
    clock(LEASE_S + 1)
    return reaper


def abandoned(node: Node, job_id: str = "job", *, lease_s: float = -1.0, **spec) -> str:
    """A job whose worker fell silent, its lease run out."""
    put(node.store, job_id, **spec)
    run_out(node, job_id, lease_s)
    return job_id


def run_out(node: Node, job_id: str, lease_s: float = -1.0) -> None:
    register(node.store, "dead", token="dead", slots=100)
    attempt = node.store.jobs.assign(job_id, "dead", (), 60)
    assert node.store.jobs.start(job_id, attempt, lease_s, "there")
    node.store.redis.zadd(keys.WORKERS, {"dead": 0})


def test_a_job_whose_lease_ran_out_goes_back_to_its_queue(node: Node, reaper: Reaper):
    abandoned(node)
    assert reaper.reap() == 1
    record = node.store.jobs.get("job")
    assert (record.status, record.losses, record.reason) == (Status.QUEUED, 1, "its worker was lost")
    assert record.worker == ""


def test_a_job_whose_lease_holds_is_left_alone(node: Node, reaper: Reaper):
    abandoned(node, lease_s=60)
    assert reaper.reap() == 0
    assert node.store.jobs.get("job").status is Status.RUNNING


def test_a_lease_that_was_renewed_at_the_last_moment_holds(node: Node, reaper: Reaper, monkeypatch):
    abandoned(node)
    begin = node.store.passes.begin_reaping

    def slow(*args) -> bool:
        node.store.jobs.renew([("job", 1)], 60)
        return begin(*args)

    monkeypatch.setattr(node.store.passes, "begin_reaping", slow)
    assert reaper.reap() == 0
    assert node.store.jobs.get("job").status is Status.RUNNING


def test_a_lease_that_ran_out_under_a_worker_that_lives_is_told_as_such(node: Node, reaper: Reaper):
    put(node.store)
    attempt = node.store.jobs.assign("job", node.name, (), 60)
    assert node.store.jobs.start("job", attempt, -1.0, "there")
    assert reaper.reap() == 1
    record = node.store.jobs.get("job")
    assert (record.failure, record.losses_by) == ("lost_lease", {"worker_lost": 1})
    assert "though its worker is alive" in record.reason


def test_a_job_waits_for_its_backoff_before_it_goes_on(node: Node, reaper: Reaper):
    abandoned(node, retry={"backoff": 60})
    reaper.reap()
    assert node.store.jobs.get("job").status is Status.WAITING


def test_a_job_that_lost_its_worker_too_often_fails(node: Node, reaper: Reaper):
    abandoned(node, retry={"max": 0})
    assert reaper.reap() == 1
    record = node.store.jobs.get("job")
    assert (record.outcome, record.reason) == (Outcome.FAILED, "its worker was lost")


def test_a_job_that_wants_no_retry_of_a_lost_worker_fails(node: Node, reaper: Reaper):
    abandoned(node, retry={"max": 9, "on": ["crash"]})
    reaper.reap()
    assert node.store.jobs.get("job").outcome is Outcome.FAILED


def test_the_second_wait_is_twice_as_long_as_the_first(node: Node, reaper: Reaper):
    abandoned(node, retry={"backoff": 60})
    node.store.redis.hset("fusionq:job:job", "losses", 1)
    reaper.reap()
    record = node.store.jobs.get("job")
    assert 119 < record.due_at - record.started_at < 185, "120 s, up to half as much again"


def test_a_job_that_was_to_be_cancelled_does_not_start_anew(node: Node, reaper: Reaper):
    abandoned(node)
    node.store.jobs.cancel("job", "")
    reaper.reap()
    assert node.store.jobs.get("job").outcome is Outcome.CANCELLED


def test_a_spec_that_cannot_be_read_holds_up_neither_its_job_nor_the_others(node: Node, reaper: Reaper):
    submit(node.store, "odd")  # its spec is hardly one
    run_out(node, "odd")
    abandoned(node, "fine")
    assert reaper.reap() == 2
    assert {node.store.jobs.get(job_id).status for job_id in ("odd", "fine")} == {Status.QUEUED}


# --- patience --------------------------------------------------------------------------------------


def test_after_an_outage_every_worker_gets_a_whole_lease_to_be_heard_again(
    node: Node, reaper: Reaper, clock: Callable
):
    abandoned(node)
    reaper.note_outage()
    clock(LEASE_S - 1)
    assert reaper.reap() == 0
    clock(2)
    assert reaper.reap() == 1


def test_a_reaper_that_has_just_come_does_not_judge(node: Node, clock: Callable, monkeypatch):
    monkeypatch.setattr(node.store, "uptime_s", lambda: 3600.0)
    abandoned(node)
    assert Reaper(node).reap() == 0


def test_a_redis_that_has_just_come_up_is_no_witness(node: Node, reaper: Reaper, monkeypatch):
    abandoned(node)
    monkeypatch.setattr(node.store, "uptime_s", lambda: LEASE_S + 4)
    assert reaper.reap() == 0
    monkeypatch.setattr(node.store, "uptime_s", lambda: LEASE_S + 6)
    assert reaper.reap() == 1


def test_while_another_worker_reaps_this_one_does_not(node: Node, reaper: Reaper):
    abandoned(node)
    assert node.store.passes.begin_reaping("another", 60)
    assert reaper.reap() == 0
