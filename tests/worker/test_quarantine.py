"""A worker judges itself by how jobs do here and elsewhere."""

from __future__ import annotations

import threading

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store.workers import WorkerRecord
from fusionq.worker.failure_tracker import Fall
from fusionq.worker.quarantine import look_after
from fusionq.worker.worker import Node
from tests.support import register, running
from tests.worker.fakes import give, put


@pytest.fixture
def sick(make_node) -> Node:
    """A worker on which three jobs failed at once."""
    node = make_node(name="sick", accepting=True)
    for job_id in "abc":
        attempt = give(node, job_id)
        assert node.store.jobs.start(job_id, attempt, 60, "there")
        at = node.store.jobs.get(job_id).started_at
        node.store.jobs.finish(job_id, attempt, Outcome.FAILED, "odd", failure="error")
        node.health.note_failure(Fall(job_id, attempt, job_id, "error", at), 0.1)
    return node


def succeed_elsewhere(node: Node) -> None:
    register(node.store, "other", token="other")
    put(node.store, "good")
    node.store.jobs.finish("good", running(node.store, "good", "other"), Outcome.SUCCEEDED, "")


def state_of(node: Node) -> str:
    node.register()
    return next(worker for worker in node.store.workers.alive() if worker.name == node.name).state_word


def test_alone_it_goes_on_for_nobody_does_better(sick: Node):
    look_after(sick)
    assert state_of(sick) == "ready"


def test_where_another_can_stand_in_it_waits_to_see_how_jobs_do_there(sick: Node):
    register(sick.store, "other", token="other")
    sick.store.redis.hset("fusionq:worker:other", "queues", '["default"]')
    look_after(sick)
    assert state_of(sick) == "quarantined"
    assert sick.store.jobs.get("a").status is Status.FINISHED, "the case is not clear"
    succeed_elsewhere(sick)
    look_after(sick)
    assert sick.health.is_clear
    assert {sick.store.jobs.get(job_id).status for job_id in "abc"} == {Status.QUEUED}


def test_a_worker_of_other_queues_is_no_help(sick: Node):
    register(sick.store, "other", token="other")
    sick.store.redis.hset("fusionq:worker:other", "queues", '["big"]')
    look_after(sick)
    assert state_of(sick) == "ready"


def test_what_succeeded_elsewhere_before_proves_nothing(make_node, request):
    node = make_node(name="early")
    succeed_elsewhere(node)
    sick = request.getfixturevalue("sick")
    look_after(sick)
    assert state_of(sick) == "ready"


def test_when_somebody_says_that_it_is_well_it_begins_anew(sick: Node):
    succeed_elsewhere(sick)
    look_after(sick)
    assert state_of(sick) == "quarantined"
    sick.store.workers.resume("sick")
    look_after(sick)
    assert state_of(sick) == "ready"
    sick.health.note_failure(Fall("d", 1, "d", "error", 0.0), 0.1)
    assert not sick.health.is_suspect


def test_a_job_that_ends_while_it_is_judged_waits_for_the_verdict(
    sick: Node, monkeypatch: pytest.MonkeyPatch
):
    succeed_elsewhere(sick)
    alive = sick.store.workers.alive
    beside = threading.Thread(target=sick.health.note_success)

    def alive_meanwhile() -> list[WorkerRecord]:
        if not beside.ident:
            beside.start()
            beside.join(timeout=0.1)  # it comes through here if nobody keeps it
        return alive()

    monkeypatch.setattr(sick.store.workers, "alive", alive_meanwhile)
    look_after(sick)
    beside.join()
    assert {fall.job_id for fall in sick.health.victims} == set("abc")


def fail_elsewhere(node: Node, job_id: str) -> None:
    attempt = running(node.store, job_id, "other")
    node.store.jobs.finish(job_id, attempt, Outcome.FAILED, "odd", failure="error")


def test_when_its_victims_fail_elsewhere_too_it_was_not_to_blame(sick: Node):
    succeed_elsewhere(sick)
    look_after(sick)
    fail_elsewhere(sick, "b")
    look_after(sick)
    assert state_of(sick) == "ready"
    sick.health.note_failure(Fall("d", 1, "d", "error", 0.0), 0.1)
    assert not sick.health.is_suspect, "nor is it on probation"


def test_where_enough_of_its_victims_do_not_fail_elsewhere_one_that_does_excuses_nothing(sick: Node):
    attempt = give(sick, "bad")
    sick.store.jobs.start("bad", attempt, 60, "there")
    sick.store.jobs.finish("bad", attempt, Outcome.FAILED, "odd", failure="error")
    sick.health.note_failure(Fall("bad", attempt, "bad", "error", 0.0), 0.1)
    succeed_elsewhere(sick)
    look_after(sick)
    fail_elsewhere(sick, "bad")
    look_after(sick)
    assert state_of(sick) == "quarantined"


def test_after_its_rest_it_is_on_probation(sick: Node, monkeypatch: pytest.MonkeyPatch):
    succeed_elsewhere(sick)
    look_after(sick)
    monkeypatch.setattr(type(sick.health), "has_rested", True)
    look_after(sick)
    assert state_of(sick) == "ready"
    sick.health.note_failure(Fall("d", 1, "d", "error", 0.0), 0.1)
    assert sick.health.is_suspect
