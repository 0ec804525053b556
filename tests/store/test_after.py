"""A job that comes after others: it waits for them, goes on when all succeeded, and fails with any one."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.store.swept import end, statuses, submit_sweep
from tests.support import await_lease_end, events_of, register, running, status, submit


def submit_after(store: Store, job_id: str, *parents: str, **more: str | int) -> str:
    fields = {"name": f"name-of-{job_id}", "queue": "default", "priority": 0, "after": ",".join(parents)}
    fields |= more
    assert store.jobs.submit(job_id, {}, fields)
    return job_id


def reason(store: Store, job_id: str) -> str:
    return store.jobs.get(job_id).reason


def assert_nobody_waits(store: Store) -> None:
    assert store.redis.keys(keys.parents("*")) == store.redis.keys(keys.children("*")) == []


def test_a_job_waits_for_the_job_before_it_and_says_so(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    assert (status(any_store, "b"), reason(any_store, "b")) == (Status.WAITING, "waits for a (name-of-a)")
    assert any_store.jobs.get("b").after == ("a",)
    assert [job.id for job in any_store.jobs.pending()] == ["a"]
    assert any_store.jobs.assign("b", "worker", (), 60) == 0
    end(any_store, "a")
    assert (status(any_store, "b"), reason(any_store, "b")) == (Status.QUEUED, "")
    assert events_of(any_store, "b") == ["waiting", "queued"]
    assert_nobody_waits(any_store)


def test_time_alone_lets_no_job_go_before_its_parents(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    assert any_store.jobs.promote() == 0
    assert status(any_store, "b") == Status.WAITING


def test_the_reason_names_whom_it_still_waits_for(any_store: Store):
    for job_id in "abc":
        submit(any_store, job_id)
    submit_after(any_store, "d", "a", "b", "c")
    assert reason(any_store, "d") == "waits for a (name-of-a) and 2 more"
    end(any_store, "a")
    assert reason(any_store, "d") == "waits for b (name-of-b) and 1 more"
    end(any_store, "c")
    assert reason(any_store, "d") == "waits for b (name-of-b)"
    end(any_store, "b")
    assert status(any_store, "d") == Status.QUEUED


def test_a_job_after_one_that_succeeded_is_queued_at_once(any_store: Store):
    submit(any_store, "a")
    end(any_store, "a")
    submit_after(any_store, "b", "a")
    assert status(any_store, "b") == Status.QUEUED
    assert_nobody_waits(any_store)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.FAILED, "failed"),
        (Outcome.CANCELLED, "was cancelled"),
        (Outcome.TIMED_OUT, "ran out of time"),
    ],
)
def test_whoever_waits_for_a_job_that_does_not_succeed_fails_all_the_way_down(
    any_store: Store, outcome: Outcome, words: str
):
    submit(any_store, "a")
    submit(any_store, "other")
    submit_after(any_store, "b", "other", "a")
    submit_after(any_store, "c", "b")
    submit_after(any_store, "d", "b", "c")
    end(any_store, "a", outcome)
    for job_id, parent, how in [("b", "a", words), ("c", "b", "failed"), ("d", "b", "failed")]:
        record = any_store.jobs.get(job_id)
        assert record.outcome is Outcome.FAILED
        assert record.reason == f"the job that it waits for, {parent} (name-of-{parent}), {how}"
        assert record.finished_at > 0
    assert events_of(any_store, "d") == ["waiting", "finished"]
    assert_nobody_waits(any_store)
    end(any_store, "other")
    assert any_store.jobs.get("b").outcome is Outcome.FAILED


def test_a_parent_that_is_over_before_its_child_is_stored_fails_it_at_once(any_store: Store):
    submit(any_store, "a")
    submit(any_store, "ok")
    end(any_store, "a", Outcome.FAILED)
    submit_after(any_store, "b", "ok", "a")
    submit_after(any_store, "c", "nobody")
    assert reason(any_store, "b") == "the job that it waits for, a (name-of-a), failed"
    assert reason(any_store, "c") == "the job that it waits for, nobody (), is gone"
    assert_nobody_waits(any_store)


def test_a_parent_that_comes_back_to_its_queue_is_waited_for_on(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    any_store.jobs.requeue("a", running(any_store, "a"), "shutdown")
    assert status(any_store, "b") == Status.WAITING
    end(any_store, "a")
    assert status(any_store, "b") == Status.QUEUED


def test_a_lost_parent_takes_its_children_along(any_store: Store):
    register(any_store)
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    running(any_store, "a", lease_s=0)
    await_lease_end(any_store, "a")
    assert any_store.jobs.reap("a", 1, delay_s=None, reason="lost") == "failed"
    assert any_store.jobs.get("b").outcome is Outcome.FAILED


def test_a_job_that_waits_can_be_cancelled_and_is_not_revived(any_store: Store):
    submit(any_store, "a")
    submit_after(any_store, "b", "a")
    submit_after(any_store, "c", "b")
    assert any_store.jobs.cancel("b", "enough") == "cancelled"
    assert reason(any_store, "c") == "the job that it waits for, b (name-of-b), was cancelled"
    assert_nobody_waits(any_store)
    end(any_store, "a")
    assert any_store.jobs.get("b").outcome is Outcome.CANCELLED


def test_a_long_chain_fails_as_one(any_store: Store):
    submit(any_store, "j0")
    for i in range(1, 200):
        submit_after(any_store, f"j{i}", f"j{i - 1}")
    any_store.jobs.cancel("j0", "x")
    assert all(job.is_finished for job in any_store.jobs.newest(999))


def test_children_go_in_the_order_of_their_submission(any_store: Store):
    submit(any_store, "a")
    for job_id in ("c", "b", "d"):
        submit_after(any_store, job_id, "a")
    end(any_store, "a")
    assert [job.id for job in any_store.jobs.pending()] == ["c", "b", "d"]


# --- any of them, and what follows when they fail ------------------------------------------------------


def test_a_job_after_any_of_several_goes_when_the_first_succeeds(any_store: Store):
    for job_id in "abc":
        submit(any_store, job_id)
    submit_after(any_store, "d", "a", "b", "c", after_need="any")
    assert reason(any_store, "d") == "waits for one of a (name-of-a) and 2 more"
    end(any_store, "a", Outcome.FAILED)
    assert (status(any_store, "d"), reason(any_store, "d")) == (
        Status.WAITING,
        "waits for one of b (name-of-b) and 1 more",
    )
    end(any_store, "c")
    assert status(any_store, "d") == Status.QUEUED
    assert_nobody_waits(any_store)


def test_a_job_after_any_of_several_fails_when_none_succeeded(any_store: Store):
    submit(any_store, "a")
    submit(any_store, "b")
    submit_after(any_store, "c", "a", "b", after_need="any")
    any_store.jobs.cancel("b", "")
    assert status(any_store, "c") == Status.WAITING
    end(any_store, "a", Outcome.FAILED)
    assert reason(any_store, "c") == "the job that it waits for, a (name-of-a), failed"


@pytest.mark.parametrize("need", ["all", "any"])
def test_a_job_may_be_cancelled_with_its_parents(any_store: Store, need: str):
    submit(any_store, "a")
    submit_after(any_store, "b", "a", after_need=need, after_failure="cancel")
    submit_after(any_store, "c", "b")
    end(any_store, "a", Outcome.FAILED)
    assert any_store.jobs.get("b").outcome is Outcome.CANCELLED
    assert any_store.jobs.get("c").outcome is Outcome.FAILED


def test_a_job_may_run_whatever_became_of_its_parents_once_all_are_over(any_store: Store):
    submit(any_store, "a")
    submit(any_store, "b")
    submit_after(any_store, "c", "a", "b", after_failure="run")
    end(any_store, "a", Outcome.FAILED)
    assert status(any_store, "c") == Status.WAITING
    end(any_store, "b")
    assert status(any_store, "c") == Status.QUEUED
    submit_after(any_store, "d", "a", after_failure="run")
    submit_after(any_store, "e", "a", "gone", after_need="any", after_failure="run")
    assert status(any_store, "d") == status(any_store, "e") == Status.QUEUED
    assert_nobody_waits(any_store)


def test_the_job_whose_model_it_takes_must_succeed_whatever_the_others_do(any_store: Store):
    for job_id in "abs":
        submit(any_store, job_id)
    submit_after(any_store, "c", "a", "b", after_need="any", model_from="s")
    end(any_store, "a")
    assert reason(any_store, "c") == "waits for s (name-of-s)"
    submit_after(any_store, "d", "a", after_failure="run", model_from="s")
    end(any_store, "s", Outcome.FAILED)
    for job_id in "cd":
        assert reason(any_store, job_id) == "the job that it waits for, s (name-of-s), failed"
    assert_nobody_waits(any_store)


def test_a_job_before_it_stays_until_it_is_not_waited_for_any_more(any_store: Store):
    submit(any_store, "a")
    submit(any_store, "b")
    submit_after(any_store, "c", "a", "b")
    end(any_store, "a")
    assert any_store.redis.zrange(keys.children("a"), 0, -1) == ["c"]
    end(any_store, "b")
    assert_nobody_waits(any_store)


# --- sweeps ------------------------------------------------------------------------------------------


def test_a_job_after_a_sweep_waits_for_all_of_its_trials(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    submit_after(any_store, "b", "abc")
    assert reason(any_store, "b") == "waits for abc (swept)"
    end(any_store, "abc-1")
    assert status(any_store, "b") == Status.WAITING
    end(any_store, "abc-2")
    assert status(any_store, "b") == Status.QUEUED
    assert_nobody_waits(any_store)


@pytest.mark.parametrize(
    ("outcome", "words"), [(Outcome.FAILED, "failed"), (Outcome.CANCELLED, "was cancelled")]
)
def test_a_sweep_of_which_a_trial_did_not_succeed_fails_its_children_once_it_is_over(
    any_store: Store, outcome: Outcome, words: str
):
    submit_sweep(any_store, "abc", 2)
    submit_after(any_store, "b", "abc")
    end(any_store, "abc-1", outcome)
    assert status(any_store, "b") == Status.WAITING
    end(any_store, "abc-2")
    assert reason(any_store, "b") == f"the sweep that it waits for, abc (swept), {words}"


def test_a_job_after_one_trial_waits_for_it_alone(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    submit_after(any_store, "b", "abc-2")
    end(any_store, "abc-2")
    assert status(any_store, "b") == Status.QUEUED


def test_a_sweep_that_is_cancelled_fails_whoever_waits_for_it(any_store: Store):
    submit_sweep(any_store, "abc", 3)
    submit_after(any_store, "b", "abc")
    submit_after(any_store, "c", "abc-1")
    any_store.sweeps.cancel("abc", "enough")
    assert any_store.jobs.get("b").outcome is any_store.jobs.get("c").outcome is Outcome.FAILED


def test_the_trials_of_a_sweep_wait_for_a_job_then_for_their_turn(any_store: Store):
    submit(any_store, "a")
    submit_sweep(any_store, "abc", 3, max_parallel=2, after="a")
    assert statuses(any_store, "abc") == "www"
    assert reason(any_store, "abc-1") == "waits for a (name-of-a)"
    end(any_store, "a")
    assert statuses(any_store, "abc") == "qqw"
    assert any_store.sweeps.get("abc").counts == {"queued": 2, "waiting": 1}


def test_the_trials_of_a_sweep_fail_with_the_job_before_them(any_store: Store):
    submit(any_store, "a")
    submit_sweep(any_store, "abc", 3, max_parallel=2, after="a")
    submit_after(any_store, "b", "abc")
    end(any_store, "a", Outcome.FAILED)
    assert any_store.sweeps.get("abc").counts == {"failed": 3}
    assert reason(any_store, "b") == "the sweep that it waits for, abc (swept), failed"
    assert_nobody_waits(any_store)
