"""The usual way of a job, and who may not move it: older attempts, and anybody once it is finished."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import assigned, events_of, register, running, status, submit


def test_a_job_goes_from_the_queue_over_a_worker_to_its_end(any_store: Store):
    store = any_store
    register(store)
    submit(store, "j1", name="mnist")
    assert status(store, "j1") == Status.QUEUED
    attempt = assigned(store, "j1")
    assert status(store, "j1") == Status.ASSIGNED
    assert store.jobs.start("j1", attempt, 60, "/runs/j1")
    assert status(store, "j1") == Status.RUNNING
    assert store.jobs.finish("j1", attempt, Outcome.SUCCEEDED, "20 epochs", {"test_top1": 0.9})
    record = store.jobs.get("j1")
    assert (record.status, record.outcome, record.reason) == (Status.FINISHED, Outcome.SUCCEEDED, "20 epochs")
    assert (record.name, record.worker, record.host, record.run_dir) == (
        "mnist",
        "worker",
        "host",
        "/runs/j1",
    )
    assert (record.attempt, record.losses, record.result) == (1, 0, {"test_top1": 0.9})
    assert 0 < record.submitted_at <= record.assigned_at <= record.started_at <= record.finished_at
    assert events_of(store, "j1") == ["queued", "assigned", "running", "finished"]


def test_an_id_is_taken_once(any_store: Store):
    submit(any_store, "j1", name="first")
    assert not any_store.jobs.submit("j1", {}, {"name": "second", "queue": "other", "priority": 0})
    assert any_store.jobs.get("j1").name == "first"
    assert any_store.jobs.count() == 1


def test_the_spec_is_stored_with_the_job(store: Store):
    spec = {"model": {"_target_": "a.B", "x": None, "y": float("inf")}, "name": "é"}
    store.jobs.submit("j1", spec, {"name": "é", "queue": "default", "priority": 0})
    assert store.jobs.spec("j1") == spec


def test_notes_do_not_move_a_job(any_store: Store):
    submit(any_store, "j1")
    any_store.jobs.note_progress("j1", {"epoch": 3})
    any_store.jobs.note_warning("j1", "trained on digits")
    record = any_store.jobs.get("j1")
    assert (record.progress, record.warning, record.status) == (
        {"epoch": 3},
        "trained on digits",
        Status.QUEUED,
    )


def test_an_attempt_starts_once(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = assigned(any_store, "j")
    assert any_store.jobs.start("j", attempt, 60, "first")
    assert not any_store.jobs.start("j", attempt, 60, "second")
    assert any_store.jobs.get("j").run_dir == "first"


def test_an_older_attempt_can_change_nothing(any_store: Store):
    store = any_store
    register(store, slots=2)
    submit(store, "j")
    old = running(store, "j")
    store.jobs.requeue("j", old, "lost")
    new = assigned(store, "j")
    assert new == old + 1
    before = store.jobs.get("j")
    assert not store.jobs.start("j", old, 60, "x")
    assert not store.jobs.requeue("j", old, "x")
    assert store.jobs.start("j", new, 60, "run-dir")
    before = store.jobs.get("j")
    assert not store.jobs.finish("j", old, Outcome.SUCCEEDED, "x")
    assert not store.jobs.requeue("j", old, "x", failure="crash")
    assert store.jobs.reap("j", old, delay_s=None, reason="x") == ""
    assert store.jobs.renew([("j", old)], 60) == ["lost"]
    assert store.jobs.get("j") == before


@pytest.mark.parametrize("attempt", [0, 2, 99])
def test_an_attempt_that_never_was_can_change_nothing(any_store: Store, attempt):
    register(any_store)
    submit(any_store, "j")
    assert assigned(any_store, "j") == 1
    assert not any_store.jobs.start("j", attempt, 60, "x")
    assert not any_store.jobs.requeue("j", attempt, "x")
    assert status(any_store, "j") == Status.ASSIGNED


def test_a_queued_job_can_neither_start_nor_end_nor_come_back(any_store: Store):
    submit(any_store, "j")
    assert not any_store.jobs.start("j", 0, 60, "x")
    assert not any_store.jobs.finish("j", 0, Outcome.SUCCEEDED, "x")
    assert not any_store.jobs.requeue("j", 0, "x")
    assert any_store.jobs.reap("j", 0, delay_s=None, reason="x") == ""
    assert status(any_store, "j") == Status.QUEUED


def test_an_assigned_job_cannot_end_before_it_started(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = assigned(any_store, "j")
    assert not any_store.jobs.finish("j", attempt, Outcome.SUCCEEDED, "x")
    assert any_store.jobs.renew([("j", attempt)], 60) == ["lost"]
    assert status(any_store, "j") == Status.ASSIGNED


def test_a_running_job_is_not_assigned_again(any_store: Store):
    register(any_store, slots=2)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    assert any_store.jobs.assign("j", "worker", (), 60) == 0
    assert any_store.jobs.get("j").attempt == attempt


def test_a_waiting_job_is_not_assigned(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    any_store.jobs.requeue("j", running(any_store, "j"), "later", delay_s=60)
    assert any_store.jobs.assign("j", "worker", (), 60) == 0


def test_a_finished_job_stays_as_it_ended(any_store: Store):
    store = any_store
    register(store)
    submit(store, "j")
    attempt = running(store, "j")
    store.jobs.finish("j", attempt, Outcome.FAILED, "import error")
    before, events = store.jobs.get("j"), events_of(store, "j")
    assert store.jobs.assign("j", "worker", (), 60) == 0
    assert not store.jobs.start("j", attempt, 60, "x")
    assert not store.jobs.finish("j", attempt, Outcome.SUCCEEDED, "x")
    assert not store.jobs.requeue("j", attempt, "x", failure="crash")
    assert store.jobs.cancel("j", "x") == "finished"
    assert store.jobs.renew([("j", attempt)], 60) == ["lost"]
    assert store.jobs.reap("j", attempt, delay_s=None, reason="x") == ""
    assert store.jobs.promote() == 0
    assert (store.jobs.get("j"), events_of(store, "j")) == (before, events)


def test_a_job_that_does_not_exist_can_make_no_move(any_store: Store):
    jobs = any_store.jobs
    register(any_store)
    assert jobs.assign("none", "worker", (), 60) == 0
    assert not jobs.start("none", 1, 60, "x")
    assert not jobs.finish("none", 1, Outcome.SUCCEEDED, "x")
    assert not jobs.requeue("none", 1, "x")
    assert jobs.renew([("none", 1)], 60) == ["lost"]
    assert jobs.reap("none", 1, delay_s=None, reason="x") == ""
    assert not any_store.redis.exists(keys.job("none"))


def test_a_text_that_is_not_utf_8_can_be_stored_and_shown(store: Store):
    register(store)
    submit(store, "abc")
    attempt = running(store, "abc")
    assert store.jobs.finish("abc", attempt, Outcome.FAILED, "no caf\udce9 \x1b[2J")
    reason = store.jobs.get("abc").reason
    assert reason.startswith("no caf\\")
    assert reason.endswith(r" \x1b[2J")
    assert reason.isprintable()
