"""`queue` shows the queues, pauses them, and says who goes first."""

from __future__ import annotations

import json

import pytest

from fusionq.spec.states import Status
from tests.cli.conftest import Cli
from tests.cli.jobs import queued, serving, started


def test_the_queues_are_listed_with_what_stands_in_them(cli: Cli, store):
    serving(store)
    queued(store, "aaa")
    started(store, "bbb")
    shown = cli("queue").out
    assert "QUEUE" in shown
    assert "default" in shown
    assert "open" in shown
    [row] = json.loads(cli("queue", "--json").out)["queues"]
    assert (row["name"], row["is_paused"], row["queued"], row["running"]) == ("default", False, 1, 1)


def test_a_paused_queue_says_so_to_who_waits(cli: Cli, store):
    serving(store)
    queued(store, "aaa")
    done = cli("queue", "pause", "default", "--reason", "new driver")
    assert done.code == 0
    assert "the queue 'default' is paused; go on: fusionq queue resume default" in done.err
    assert "paused: new driver" in cli("status", "aaa").out
    assert "paused: new driver" in cli("queue").out
    assert store.jobs.assign("aaa", "worker", (), 60) == 0
    assert "goes on" in cli("queue", "resume", "default").err
    assert "was not paused" in cli("queue", "resume", "default").err


def test_running_jobs_finish_unless_they_are_told_to_go_back(cli: Cli, store):
    started(store, "aaa")
    cli("queue", "pause", "default")
    assert store.jobs.get("aaa").stop_requested == ""
    done = cli("queue", "pause", "default", "--requeue")
    assert "1 running job goes back to it" in done.err
    record = store.jobs.get("aaa")
    assert (record.status, record.stop_requested) == (Status.RUNNING, "requeue")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_queue_that_nobody_knows_is_refused(cli: Cli, store, verb: str):
    queued(store, "aaa")
    done = cli("queue", verb, "defualt")
    assert (done.code, "there is no queue 'defualt'; did you mean 'default'?" in done.err) == (3, True)


def test_the_order_is_shown_and_changed(cli: Cli, store):
    assert cli("queue", "order").out == "fair\n"
    assert cli("queue", "order", "fifo").code == 0
    assert cli("queue", "order").out == "fifo\n"
    assert cli("queue", "order", "lifo").code == 2


def test_patience_is_shown_and_changed(cli: Cli, store):
    assert cli("queue", "patience").out == "10m 00s\n"
    done = cli("queue", "patience", "1h30m")
    assert done.err.startswith("a large job waits 1h 30m until a worker is kept free for it")
    assert store.queues.patience() == 5400
    done = cli("queue", "patience", "long")
    assert (done.code, "'long' is not a duration" in done.err) == (2, True)
