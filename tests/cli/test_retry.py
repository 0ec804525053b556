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
    assert (done.code, done.out) == (1, "")
    assert done.err == "fusionq: aaa has succeeded; do it again: fusionq retry aaa --fresh\n"
    assert cli("retry", "aaa", "--fresh").code == 0
    assert store.jobs.get("aaa").status is Status.QUEUED


def test_one_that_has_not_ended_is_left_alone(cli: Cli, store):
    queued(store, "aaa")
    done = cli("retry", "aaa")
    assert (done.code, "aaa has not ended yet" in done.err) == (1, True)


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
    assert (done.code, "has no trial that failed" in done.err) == (1, True)
