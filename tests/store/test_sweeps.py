"""A sweep: all of its trials or none, one row, and what it knows of them."""

from __future__ import annotations

import json

import pytest

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.scripts import Scripts
from fusionq.store.store import Store
from fusionq.store.sweeps import Sweeps
from tests.store.swept import end, statuses, submit_sweep
from tests.support import assigned, register, running, status, submit

NONE = {"name": "x", "queue": "default", "priority": 0}


def test_a_sweep_is_a_record_a_spec_and_its_trials_in_their_order(any_store: Store):
    ids = submit_sweep(any_store, "abc", 12)
    sweep = any_store.sweeps.get("abc")
    assert (sweep.name, sweep.total, sweep.state_word, sweep.counts) == (
        "swept",
        12,
        "queued",
        {"queued": 12},
    )
    assert [trial.id for trial in any_store.sweeps.trials("abc")] == ids
    assert [job.id for job in any_store.jobs.pending()] == ids
    assert any_store.jobs.get("abc-3").sweep == "abc"
    assert any_store.jobs.spec("abc") == {"name": "swept"}
    assert any_store.jobs.spec("abc-3") == {"name": "swept", "trial": "abc-3"}
    assert any_store.redis.ttl(keys.job("abc-3")) == any_store.redis.ttl(keys.spec("abc-3")) == -1


def test_nobody_sees_a_trial_before_all_are_there(any_store: Store, monkeypatch: pytest.MonkeyPatch):
    class Died(Exception):
        pass

    run = Scripts.run

    def die_at_last(self, name, *args):
        if name == "submit_sweep":
            raise Died
        return run(self, name, *args)

    monkeypatch.setattr(Scripts, "run", die_at_last)
    with pytest.raises(Died):
        submit_sweep(any_store, "abc", 3)
    monkeypatch.undo()
    assert any_store.rows(9) == any_store.jobs.newest(9) == any_store.jobs.pending() == []
    for reference in ("abc", "abc-1"):
        with pytest.raises(NotFoundError):
            any_store.jobs.find(reference)
    with pytest.raises(NotFoundError):
        any_store.jobs.get("abc-1")
    assert any_store.jobs.get_many(["abc-1"]) == []
    left = any_store.redis.keys("*")
    assert keys.job("abc-3") in left
    assert all(0 < any_store.redis.pttl(key) <= 600_000 for key in left)


def test_a_sweep_of_which_a_trial_got_lost_on_the_way_does_not_come_into_being(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
):
    stage = Sweeps._stage

    def lose_one(self, *args):
        stage(self, *args)
        any_store.redis.delete(keys.spec("abc-2"))

    monkeypatch.setattr(Sweeps, "_stage", lose_one)
    assert not any_store.sweeps.submit("abc", {}, NONE, [(f"abc-{k}", {}, NONE) for k in (1, 2, 3)])
    assert not any_store.sweeps.exists("abc")
    assert any_store.jobs.pending() == []


def test_the_same_call_once_more_is_one_sweep(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    token = any_store.redis.hget(keys.sweep("abc"), "token")
    scripts = Scripts(any_store.redis)
    assert scripts.run("submit_sweep", "abc", "{}", token, 2, 0, "name", "y") == "abc"
    assert scripts.run("submit_sweep", "abc", "{}", "another", 2, 0, "name", "y") == 0
    assert any_store.sweeps.get("abc").counts == {"queued": 2}
    assert any_store.num_rows() == 1


def test_trials_stay_where_their_submission_comes_once_more(any_store: Store):
    """As where its answer was lost: they must not expire as trials do that were never submitted."""
    trials = [("abc-1", {"epochs": 1}, NONE), ("abc-2", {"epochs": 2}, NONE)]
    for _ in range(2):
        assert any_store.sweeps.submit("abc", {}, NONE, trials, token="token") == "abc"
    any_store.sweeps._stage("abc", "token", [("abc-1", {}, NONE)])  # it may even come in between
    kept = [key(trial) for key in (keys.job, keys.spec) for trial in ("abc-1", "abc-2")]
    assert {any_store.redis.ttl(key) for key in kept} == {-1}
    assert any_store.jobs.spec("abc-1") == {"epochs": 1}
    assert not any_store.redis.exists(keys.staging("abc"))


def test_an_id_that_a_job_or_a_sweep_has_is_taken(any_store: Store):
    submit(any_store, "job")
    submit_sweep(any_store, "abc", 2)
    for taken in ("job", "abc"):
        assert not any_store.sweeps.submit(taken, {}, NONE, [(f"{taken}-1", {}, NONE)])
        assert not any_store.redis.exists(keys.staging(taken))
    assert not any_store.jobs.submit("abc", {}, NONE)
    assert any_store.sweeps.get("abc").total == 2
    assert any_store.jobs.spec("abc-1") == {"name": "swept", "trial": "abc-1"}


# --- counts ------------------------------------------------------------------------------------------


def test_the_counts_follow_every_move_and_add_up_to_the_total(any_store: Store):
    register(any_store, slots=9)
    submit_sweep(any_store, "abc", 4)
    jobs = any_store.jobs
    moves = [
        (lambda: assigned(any_store, "abc-1"), {"queued": 3, "assigned": 1}),
        (lambda: jobs.start("abc-1", 1, 60, ""), {"queued": 3, "running": 1}),
        (lambda: jobs.requeue("abc-1", 1, "later", delay_s=60), {"queued": 3, "waiting": 1}),
        (lambda: jobs.cancel("abc-1", "x"), {"queued": 3, "cancelled": 1}),
        (lambda: running(any_store, "abc-2"), {"queued": 2, "running": 1, "cancelled": 1}),
        (lambda: jobs.requeue("abc-2", 1, "shutdown"), {"queued": 3, "cancelled": 1}),
        (lambda: end(any_store, "abc-2"), {"queued": 2, "cancelled": 1, "succeeded": 1}),
        (
            lambda: end(any_store, "abc-3", Outcome.FAILED),
            {"queued": 1, "cancelled": 1, "succeeded": 1, "failed": 1},
        ),
    ]
    for move, counts in moves:
        move()
        sweep = any_store.sweeps.get("abc")
        assert sweep.counts == counts
        assert sum(sweep.counts.values()) == sweep.total
        assert (sweep.outcome, sweep.finished_at) == (None, 0.0)
    end(any_store, "abc-4", Outcome.TIMED_OUT)
    sweep = any_store.sweeps.get("abc")
    assert sweep.is_finished
    assert (sweep.state_word, sweep.outcome) == ("failed", Outcome.FAILED)
    assert sweep.submitted_at <= sweep.started_at <= sweep.finished_at


def test_a_lost_trial_is_counted_where_it_went(any_store: Store):
    register(any_store)
    submit_sweep(any_store, "abc", 1)
    running(any_store, "abc-1", lease_s=0)
    assert any_store.jobs.reap("abc-1", 1, delay_s=None, reason="lost") == "failed"
    assert any_store.sweeps.get("abc").counts == {"failed": 1}


def test_a_sweep_ended_as_its_trials_did(any_store: Store):
    submit_sweep(any_store, "abc", 2)
    end(any_store, "abc-1")
    any_store.jobs.cancel("abc-2", "x")
    assert any_store.sweeps.get("abc").outcome is Outcome.CANCELLED
    submit_sweep(any_store, "def", 1)
    end(any_store, "def-1")
    assert any_store.sweeps.get("def").outcome is Outcome.SUCCEEDED


# --- the best trial ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "best"), [("max", "abc-3"), ("min", "abc-2")])
def test_the_best_trial_follows_the_mode(any_store: Store, mode: str, best: str):
    submit_sweep(any_store, "abc", 4)
    assert any_store.sweeps.best("abc") is None
    for job_id, value in [("abc-1", 0.5), ("abc-2", -1.25), ("abc-3", 0.1 + 0.2 + 1), ("abc-4", 0.7)]:
        end(any_store, job_id, best_value=value, mode=mode)
    sweep = any_store.sweeps.get("abc")
    assert (sweep.best_trial, sweep.mode) == (best, mode)
    assert sweep.best_value == {"max": 0.1 + 0.2 + 1, "min": -1.25}[mode]
    found = any_store.sweeps.best("abc")
    assert found is not None
    assert found.id == best


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.9", [1]])
def test_what_is_no_number_is_never_the_best(any_store: Store, value: object):
    submit_sweep(any_store, "abc", 2)
    end(any_store, "abc-1", best_value=value, mode="max")
    assert any_store.sweeps.get("abc").best_trial == ""
    end(any_store, "abc-2", best_value=0.1, mode="max")
    assert any_store.sweeps.get("abc").best_trial == "abc-2"


def test_a_trial_that_did_not_succeed_is_not_the_best(any_store: Store):
    submit_sweep(any_store, "abc", 1)
    end(any_store, "abc-1", Outcome.TIMED_OUT, best_value=0.9, mode="max")
    assert any_store.sweeps.get("abc").best_value is None


# --- turns -------------------------------------------------------------------------------------------


def test_only_so_many_trials_are_on_their_way_at_once(any_store: Store):
    register(any_store, slots=9)
    submit_sweep(any_store, "abc", 5, max_parallel=2)
    assert statuses(any_store, "abc") == "qqwww"
    assert any_store.jobs.get("abc-3").reason == "waits for its turn: 2 trials of its sweep run at once"
    running(any_store, "abc-1")
    assigned(any_store, "abc-2")
    assert statuses(any_store, "abc") == "rawww"
    any_store.jobs.cancel("abc-2", "x")
    assert statuses(any_store, "abc") == "rfqww"
    assert any_store.jobs.get("abc-3").reason == ""
    any_store.jobs.finish("abc-1", 1, Outcome.FAILED, "x")
    assert statuses(any_store, "abc") == "ffqqw"
    any_store.jobs.cancel("abc-5", "one that waits has no turn to pass on")
    assert statuses(any_store, "abc") == "ffqqf"
    for job_id in ("abc-3", "abc-4"):
        end(any_store, job_id)
    assert any_store.redis.keys(keys.turns("*")) == any_store.redis.keys(keys.backlog("*")) == []


def test_a_trial_that_comes_back_or_waits_for_a_time_keeps_its_turn(any_store: Store):
    register(any_store, slots=9)
    submit_sweep(any_store, "abc", 2, max_parallel=1)
    any_store.jobs.requeue("abc-1", running(any_store, "abc-1"), "shutdown")
    assert statuses(any_store, "abc") == "qw"
    any_store.jobs.requeue("abc-1", running(any_store, "abc-1"), "later", delay_s=60)
    assert statuses(any_store, "abc") == "ww"
    assert any_store.jobs.promote() == 0
    any_store.jobs.cancel("abc-1", "x")
    assert statuses(any_store, "abc") == "fq"


def test_without_a_limit_all_are_queued(any_store: Store):
    submit_sweep(any_store, "abc", 3)
    assert statuses(any_store, "abc") == "qqq"


# --- cancelling --------------------------------------------------------------------------------------


def test_a_sweep_is_cancelled_at_one_moment(any_store: Store):
    register(any_store, slots=9)
    submit_sweep(any_store, "abc", 7, max_parallel=4)
    end(any_store, "abc-1")
    running(any_store, "abc-2")
    assigned(any_store, "abc-3")
    any_store.jobs.requeue("abc-4", running(any_store, "abc-4"), "later", delay_s=60)
    assert statuses(any_store, "abc") == "frawqww"
    assert any_store.sweeps.cancel("abc", "enough") == (5, 1)
    assert statuses(any_store, "abc") == "frfffff"
    assert any_store.jobs.pending() == []
    sweep = any_store.sweeps.get("abc")
    assert sweep.counts == {"succeeded": 1, "running": 1, "cancelled": 5}
    assert sweep.stop_requested == "cancel"
    assert any_store.jobs.renew([("abc-2", 1)], 60) == ["cancel"]
    any_store.jobs.finish("abc-2", 1, Outcome.CANCELLED, "cancelled by the user")
    assert any_store.sweeps.get("abc").outcome is Outcome.CANCELLED
    assert any_store.sweeps.cancel("abc", "again") == (0, 0)
    assert not any_store.redis.exists(keys.WAITING, keys.ASSIGNED, keys.turns("abc"), keys.backlog("abc"))


@pytest.mark.parametrize("method", ["get", "trials", "trial_ids", "best"])
def test_an_unknown_sweep_is_not_found(any_store: Store, method: str):
    submit(any_store, "job")
    for unknown in ("none", "job"):
        with pytest.raises(NotFoundError):
            getattr(any_store.sweeps, method)(unknown)
        with pytest.raises(NotFoundError):
            any_store.sweeps.cancel(unknown, "x")


# --- rows and references -----------------------------------------------------------------------------


def test_a_sweep_is_one_row(any_store: Store):
    submit(any_store, "first")
    submit_sweep(any_store, "abc", 3)
    submit(any_store, "last1")
    assert [row.id for row in any_store.rows(9)] == ["first", "abc", "last1"]
    assert [row.id for row in any_store.rows(2)] == ["abc", "last1"]
    assert any_store.rows(0) == []
    assert any_store.num_rows() == 3
    assert any_store.jobs.count() == 5


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("abc", "abc"),
        ("ab", "abc"),  # a prefix means the sweep alone, not its trials
        ("swept", "abc"),
        ("last", "abc"),
        ("abc-3", "abc-3"),
        ("abc-03", "abc-3"),
        ("ab-3", "abc-3"),
        ("swept-2", "abc-2"),
        ("last-1", "abc-1"),
    ],
)
def test_a_sweep_and_its_trials_are_found(any_store: Store, reference: str, found: str):
    submit(any_store, "xyz")
    submit_sweep(any_store, "abc", 3)
    assert any_store.jobs.find(reference) == found


@pytest.mark.parametrize("reference", ["abc-", "abc-x", "abc-1-1", "-1", "xyz-1", "zzz-1", "abc-²"])
def test_what_is_no_trial_is_not_found(any_store: Store, reference: str):
    submit(any_store, "xyz")
    submit_sweep(any_store, "abc", 3)
    with pytest.raises(NotFoundError, match="no such job"):
        any_store.jobs.find(reference)


@pytest.mark.parametrize("reference", ["abc-0", "abc-4", "swept-99"])
def test_a_trial_that_a_sweep_does_not_have_names_those_it_has(any_store: Store, reference: str):
    submit_sweep(any_store, "abc", 3)
    with pytest.raises(NotFoundError, match="its trials are abc-1 to abc-3"):
        any_store.jobs.find(reference)


def test_a_name_means_what_was_submitted_last(any_store: Store):
    submit_sweep(any_store, "abc", 2, name="mnist")
    submit(any_store, "job", name="mnist")
    assert any_store.jobs.find("mnist") == "job"
    submit_sweep(any_store, "def", 2, name="mnist")
    assert any_store.jobs.find("mnist") == "def"


def test_where_a_job_is_needed_a_sweep_is_refused_and_points_to_its_trials(any_store: Store):
    submit_sweep(any_store, "abc", 3)
    with pytest.raises(UsageError, match="abc is a sweep of 3 trials; name one: abc-1"):
        any_store.jobs.find_job("abc")
    assert any_store.jobs.find_job("abc-2") == "abc-2"


def test_a_sweep_can_be_shown_as_plain_data(any_store: Store):
    submit_sweep(any_store, "abc", 1)
    shown = json.loads(json.dumps(any_store.sweeps.get("abc").to_json()))
    assert (shown["id"], shown["state"], shown["counts"]) == ("abc", "queued", {"queued": 1})


def test_a_thousand_trials_are_one_sweep(store: Store):
    submit_sweep(store, "abc", 1000, max_parallel=10)
    assert store.sweeps.get("abc").counts == {"queued": 10, "waiting": 990}
    assert status(store, "abc-1000") == "waiting"
    assert store.sweeps.cancel("abc", "x") == (1000, 0)
