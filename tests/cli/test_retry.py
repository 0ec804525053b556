"""`retry` queues what has ended once more, under its own id."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.spec.states import Outcome, Status
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued
from tests.support import register, running


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED, Outcome.TIMED_OUT])
def test_a_job_that_did_not_succeed_is_in_the_queue_again(cli: Cli, store, outcome: Outcome):
    finished(store, "aaa", outcome, reason="odd")
    done = cli("retry", "aaa")
    assert (done.code, done.out) == (0, "aaa\n")
    assert "follow it: fusionq logs aaa -f" in done.err
    record = store.jobs.get("aaa")
    assert (record.status, record.outcome, record.reason) == (Status.QUEUED, None, "")
    assert store.redis.llen("fusionq:celery:schedule") == 1


def test_one_that_succeeded_is_done_again_only_anew(cli: Cli, store):
    finished(store, "aaa")
    done = cli("retry", "aaa")
    assert (done.code, done.out) == (7, "")
    assert done.err == (
        "fusionq: aaa has succeeded; to train it further: fusionq retry aaa train.epochs=…; "
        "to run it again: fusionq retry aaa --fresh\n"
    )
    assert cli("retry", "aaa", "--fresh").code == 0
    assert store.jobs.get("aaa").status is Status.QUEUED


def test_one_that_has_not_ended_is_left_alone(cli: Cli, store):
    queued(store, "aaa")
    done = cli("retry", "aaa")
    assert (done.code, "aaa has not ended yet" in done.err) == (7, True)


def test_an_unknown_one_is_told_so(cli: Cli):
    assert cli("retry", "nobody").code == 3


def test_of_a_sweep_those_that_failed_go_again(cli: Cli, store, job_file: Path):
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    register(store, slots=100)
    for k, outcome in ((1, Outcome.SUCCEEDED), (2, Outcome.FAILED)):
        running(store, f"{sweep}-{k}")
        store.jobs.finish(f"{sweep}-{k}", 1, outcome, "", None)
    done = cli("retry", sweep)
    assert (done.code, done.out) == (0, f"{sweep}\n")
    assert "1 trial of" in done.err
    assert [t.state_word for t in store.sweeps.trials(sweep)] == ["succeeded", "queued"]
    cli("cancel", f"{sweep}-2")
    cli("retry", sweep)
    assert store.sweeps.get(sweep).counts == {"succeeded": 1, "queued": 1}


def test_a_sweep_without_failures_says_so(cli: Cli, store, job_file: Path):
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    done = cli("retry", sweep)
    assert (done.code, "has no trial that failed" in done.err) == (7, True)


def test_all_that_failed_go_again_and_nothing_else(cli: Cli, store):
    for job_id, outcome in zip("abcd", Outcome, strict=True):
        finished(store, job_id * 3, outcome)
    done = cli("retry", "--failed", "-y")
    assert (done.code, done.out.split()) == (0, ["bbb", "ddd"])
    assert "2 of 2 jobs in the queue again" in done.err
    assert [store.jobs.get(job_id * 3).state_word for job_id in "abcd"] == [
        "succeeded",
        "queued",
        "cancelled",
        "queued",
    ]


def test_options_choose_among_those_that_did_not_succeed(cli: Cli, store):
    for job_id, outcome in zip("abc", Outcome, strict=False):
        finished(store, job_id * 3, outcome, tags='["x"]')
    finished(store, "ddd", Outcome.FAILED)
    assert cli("retry", "--tag", "x", "-y").out.split() == ["bbb", "ccc"]
    assert cli("retry", "--tag", "x", "--state", "succeeded").code == 2
    assert cli("retry", "--tag", "x", "--state", "succeeded", "--fresh").out == "aaa\n"


def test_those_that_failed_in_the_same_way_go_again(cli: Cli, store):
    for job_id, failure in (("aaa", "disk_full"), ("bbb", "data_error")):
        finished(store, job_id, Outcome.FAILED, failure=failure)
    assert cli("retry", "--failure", "disk_full").out == "aaa\n"


def test_a_class_of_failures_that_there_is_not_is_told_so(cli: Cli):
    done = cli("retry", "--failure", "disk-full")
    assert (done.code, done.err) == (
        2,
        "fusionq: no failure is called 'disk-full'; did you mean 'disk_full'?\n",
    )


def test_a_script_that_would_retry_several_has_to_be_sure(cli: Cli, store):
    for job_id in ("aaa", "bbb"):
        finished(store, job_id, Outcome.FAILED)
    done = cli("retry", "--all")
    assert (done.code, "this would retry 2 jobs; say -y" in done.err) == (2, True)
    assert store.jobs.get("aaa").is_finished


def test_of_several_each_is_retried_whatever_becomes_of_the_others(cli: Cli, store):
    finished(store, "aaa")
    finished(store, "bbb", Outcome.FAILED)
    queued(store, "ccc")
    done = cli("retry", "aaa", "bbb", "ccc")
    assert (done.code, done.out) == (7, "bbb\n")
    assert "aaa has succeeded; ccc has not ended yet" in done.err


def test_a_chain_is_retried_from_its_head(cli: Cli, store):
    finished(store, "aaa", Outcome.FAILED)
    finished(store, "bbb", Outcome.FAILED)
    store.redis.hset("fusionq:job:bbb", "after", "aaa")
    assert cli("retry", "--failed", "-y").out.split() == ["aaa", "bbb"]
    assert [store.jobs.get(job_id).status for job_id in ("aaa", "bbb")] == [Status.QUEUED, Status.WAITING]


def test_failed_is_a_state_of_its_own(cli: Cli):
    assert cli("retry", "--failed", "--state", "cancelled").code == 2


def test_changes_of_the_job_file_take_one_that_succeeded_further(cli: Cli, store, job_file: Path):
    job = cli("submit", job_file, "name=grown").out.strip()
    register(store, slots=100)
    running(store, job)
    store.jobs.finish(job, 1, Outcome.SUCCEEDED, "", {"epochs": 10})
    done = cli("retry", job)
    assert f"fusionq retry {job} train.epochs=…" in done.err
    done = cli("retry", "grown", "train.epochs=40")
    assert (done.code, done.out) == (0, f"{job}\n")
    assert "epochs: 40" in cli("status", job, "--spec").out
    assert cli("retry", "grown", "train.epochs=50").code == 7


def test_changes_that_cannot_be_say_what_can(cli: Cli, store, job_file: Path):
    finished(store, "aaa")
    done = cli("retry", "aaa", "model.out_features=3")
    assert (done.code, done.err) == (
        2,
        "fusionq: aaa cannot go on with another model.out_features: its state was made with the old one; "
        "begin anew with it: fusionq retry aaa --fresh model.out_features=…\n",
    )
    assert cli("retry", "--all", "train.epochs=40").code == 2
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    assert f"fusionq retry {sweep}-1 train.epochs=40" in cli("retry", sweep, "train.epochs=40").err
