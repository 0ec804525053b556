"""A job that a person holds: it does not run until it is let go, wherever it stood."""

from __future__ import annotations

import pytest

from fusionq.errors import NotFoundError
from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from tests.store.swept import end, statuses, submit_sweep
from tests.store.test_after import submit_after
from tests.support import assigned, register, running, status, submit

HELD = "held by anna"


def reason(store: Store, job_id: str) -> str:
    return store.jobs.get(job_id).reason


def test_a_queued_job_that_is_held_waits_and_says_who_holds_it(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    assert any_store.jobs.hold("j", HELD) == {"held": 1}
    assert (status(any_store, "j"), reason(any_store, "j")) == (Status.WAITING, HELD)
    assert any_store.jobs.pending() == []
    assert any_store.jobs.assign("j", "worker", (), 60) == 0
    assert any_store.jobs.hold("j", HELD) == {"already": 1}


def test_a_job_that_is_let_go_has_its_old_place_in_the_queue(any_store: Store):
    for job_id in "abc":
        submit(any_store, job_id)
    any_store.jobs.hold("b", HELD)
    assert [job.id for job in any_store.jobs.pending()] == ["a", "c"]
    assert any_store.jobs.release("b") == {"released": 1}
    assert [job.id for job in any_store.jobs.pending()] == ["a", "b", "c"]
    assert reason(any_store, "b") == ""
    assert any_store.jobs.release("b") == {"free": 1}


def test_an_assigned_job_that_is_held_gives_its_slot_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = assigned(any_store, "j")
    any_store.jobs.hold("j", HELD)
    assert not any_store.jobs.start("j", attempt, 60, "")
    submit(any_store, "k")
    assert any_store.jobs.assign("k", "worker", (), 60)


def test_a_running_job_is_asked_to_make_room_and_waits_once_it_did(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    assert any_store.jobs.hold("j", HELD) == {"asked": 1}
    assert any_store.jobs.renew([("j", attempt)], 60) == ["requeue"]
    any_store.jobs.requeue("j", attempt, "it was asked to make room")
    assert (status(any_store, "j"), reason(any_store, "j")) == (Status.WAITING, HELD)
    assert any_store.jobs.get("j").losses == 0
    any_store.jobs.release("j")
    assert status(any_store, "j") == Status.QUEUED


def test_a_running_job_that_is_let_go_before_it_stopped_goes_straight_back(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    any_store.jobs.hold("j", HELD)
    assert any_store.jobs.release("j") == {"released": 1}
    any_store.jobs.requeue("j", attempt, "it was asked to make room")
    assert status(any_store, "j") == Status.QUEUED


def test_a_running_job_that_is_held_and_ends_all_the_same_is_over(any_store: Store):
    register(any_store)
    submit(any_store, "j")
    attempt = running(any_store, "j")
    any_store.jobs.hold("j", HELD)
    assert any_store.jobs.finish("j", attempt, Outcome.FAILED, "")
    assert any_store.jobs.hold("j", HELD) == {"finished": 1}
    any_store.jobs.retry("j")
    assert status(any_store, "j") == Status.QUEUED


def test_neither_time_nor_its_parents_free_a_held_job(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    any_store.jobs.hold("b", HELD)
    assert reason(any_store, "b") == HELD
    end(any_store, "a")
    any_store.jobs.promote()
    assert (status(any_store, "b"), reason(any_store, "b")) == (Status.WAITING, HELD)
    any_store.jobs.release("b")
    assert status(any_store, "b") == Status.QUEUED


def test_a_job_that_is_let_go_before_its_parents_are_over_waits_for_them(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    any_store.jobs.hold("b", HELD)
    any_store.jobs.release("b")
    assert (status(any_store, "b"), reason(any_store, "b")) == (Status.WAITING, "waits for a (name-of-a)")
    end(any_store, "a")
    assert status(any_store, "b") == Status.QUEUED


def test_a_held_job_fails_with_its_parent_and_can_be_cancelled(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    submit(any_store, "c")
    any_store.jobs.hold("b", HELD)
    any_store.jobs.hold("c", HELD)
    end(any_store, "a", Outcome.FAILED)
    assert any_store.jobs.get("b").outcome is Outcome.FAILED
    assert any_store.jobs.cancel("c", "") == "cancelled"
    assert any_store.jobs.get("c").held == ""


def test_all_trials_of_a_sweep_are_held_and_let_go_at_once(any_store: Store):
    register(any_store, slots=3)
    submit_sweep(any_store, "abc", 3)
    running(any_store, "abc-1")
    assert any_store.jobs.hold("abc", HELD) == {"asked": 1, "held": 2}
    assert statuses(any_store, "abc") == "rww"
    assert any_store.sweeps.get("abc").counts == {"running": 1, "waiting": 2}
    assert any_store.jobs.release("abc") == {"released": 3}
    assert statuses(any_store, "abc") == "rqq"


def test_a_held_trial_passes_its_turn_on(any_store: Store):
    submit_sweep(any_store, "abc", 3, max_parallel=1)
    assert statuses(any_store, "abc") == "qww"
    any_store.jobs.hold("abc-1", HELD)
    assert statuses(any_store, "abc") == "wqw"
    any_store.jobs.release("abc-1")
    assert "turn" in reason(any_store, "abc-1")
    end(any_store, "abc-2")
    assert statuses(any_store, "abc") == "qfw", "it goes first, as it came first"


def test_to_hold_what_is_not_there_says_so(any_store: Store):
    for move in (lambda: any_store.jobs.hold("x", HELD), lambda: any_store.jobs.release("x")):
        with pytest.raises(NotFoundError):
            move()
