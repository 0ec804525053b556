"""`hold`, `release` and `priority`: who goes when is in the hands of people."""

from __future__ import annotations

import pytest

from fusionq.cli.session import Session
from fusionq.spec.states import Outcome, Status
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, started


def test_a_held_job_waits_and_status_says_who_holds_it(cli: Cli, store):
    queued(store, "aaa")
    done = cli("hold", "aaa")
    assert (done.code, done.out) == (0, "")
    assert "aaa is held; to let it run: fusionq release aaa" in done.err
    assert store.jobs.get("aaa").status is Status.WAITING
    assert "held by " in cli("status", "aaa").out
    assert "held already" in cli("hold", "aaa").err


def test_a_running_job_is_said_to_save_its_state_first(cli: Cli, store):
    started(store, "aaa")
    assert "holding aaa: it will save its state and pause" in cli("hold", "aaa").err
    assert store.jobs.get("aaa").stop_requested == "requeue"


def test_a_released_job_is_in_its_queue(cli: Cli, store):
    queued(store, "aaa")
    cli("hold", "aaa")
    assert "aaa is released" in cli("release", "aaa").err
    assert store.jobs.get("aaa").status is Status.QUEUED
    assert "aaa was not held" in cli("release", "aaa").err


def test_several_are_held_and_released_by_what_they_are_like(cli: Cli, store):
    for job_id in ("aaa", "bbb"):
        queued(store, job_id)
    finished(store, "ccc", Outcome.SUCCEEDED)
    assert cli("hold", "--all").code == 2, "nobody can answer the question here"
    assert cli("hold", "--all", "-y").code == 0
    assert {job.status for job in store.jobs.get_many(["aaa", "bbb"])} == {Status.WAITING}
    queued(store, "ddd")
    done = cli("release", "--all", "-y")
    assert "aaa is released" in done.err
    assert "bbb is released" in done.err
    assert "ddd" not in done.err
    assert cli("priority", "aaa", "high").code == 2


def test_where_one_has_ended_the_others_are_held_and_released_all_the_same(
    cli: Cli, store, monkeypatch: pytest.MonkeyPatch
):
    passes = []
    monkeypatch.setattr(Session, "ask_for_pass", lambda self: passes.append(self))
    for verb, status in (("hold", Status.WAITING), ("release", Status.QUEUED)):
        finished(store, f"old-{verb}", Outcome.SUCCEEDED)
        if verb == "hold":
            queued(store, "aaa")
        done = cli(verb, f"old-{verb}", "aaa")
        assert done.code == 7
        assert f"old-{verb} has ended already" in done.err.splitlines()[-1]
        assert store.jobs.get("aaa").status is status
    assert len(passes) == 2
