"""`workers` shows who is alive and what they have; `up` and `down` look after the embedded Redis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fusionq.spec.settings import ENV_REDIS_URL, Settings
from fusionq.store import keys
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.cli.jobs import queued, serving
from tests.support import running


def test_without_a_worker_it_says_how_to_start_one(cli: Cli):
    done = cli("workers")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no worker; start one: fusionq worker\n"
    assert json.loads(cli("workers", "--json").out) == {"version": 1, "workers": []}


def test_a_worker_is_shown_with_what_it_has_and_runs(cli: Cli, store):
    serving(store, "busy", slots=2)
    queued(store, "aaa")
    running(store, "aaa", "busy")
    _, line = cli("workers").out.splitlines()
    assert line.split()[:6] == ["busy", "box", "ready", "1/2", "CPU", "default"]
    assert "aaa" in line
    (shown,) = json.loads(cli("workers", "--json").out)["workers"]
    assert (shown["name"], shown["jobs"], shown["is_alive"]) == ("busy", ["aaa"], True)


@pytest.mark.parametrize(
    ("option", "wrong", "said"),
    [
        ("--slots", "many", "'many' is not a number from 1 to 1000, or such as per-gpu:2"),
        ("--labels", "berlin", "'berlin' is not a label such as site=berlin"),
    ],
)
def test_a_wrong_option_of_a_worker_is_refused(cli: Cli, option: str, wrong: str, said: str):
    done = cli("worker", option, wrong)
    assert (done.code, said in done.err) == (2, True)


def test_each_gpu_is_shown_with_what_it_does(cli: Cli, store):
    gpus = [
        {"index": 0, "uuid": "a", "name": "NVIDIA A100", "memory_bytes": 80_000_000_000},
        {
            "index": 1,
            "uuid": "b",
            "name": "NVIDIA A100",
            "memory_bytes": 80_000_000_000,
            "blocked": "[x] is on it",
        },
    ]
    readings = {"0": {"used_bytes": 35_100_000_000, "use": 97, "temperature": 64}}
    fields = {"host": "box", "slots": 2, "accepting": 1, "queues": '["default"]', "version": "0.1.0"}
    fields |= {
        "gpus": json.dumps(gpus),
        "readings": json.dumps(readings),
        "labels": '["site=berlin"]',
        "driver": "570.1",
    }
    assert store.workers.register("big", "t", 60, fields)
    queued(store, "aaa")
    assert store.jobs.assign("aaa", "big", (0,), 60)
    first, second, empty, head, one, two = cli("workers").out.splitlines()
    assert "LABELS" in first
    assert "2 × NVIDIA A100" in second
    assert "site=berlin" in second
    assert empty == ""
    assert head.split() == ["WORKER", "GPU", "KIND", "DRIVER", "MEMORY", "USE", "TEMP", "JOBS", "NOTE"]
    assert "▕██▋   ▏  35.1 GB of 80.0 GB  ▕███▉▏  97 %  64 °C  aaa" in one
    assert two.endswith("kept from jobs: [x] is on it")


def test_a_worker_that_fell_silent_is_shown_as_such(cli: Cli, store):
    serving(store, "gone")
    store.redis.zadd(keys.WORKERS, {"gone": 0})
    assert "silent" in cli("workers").out


def test_a_worker_is_told_to_leave_and_its_jobs_are_accounted_for(cli: Cli, store, monkeypatch):
    serving(store, "box")
    queued(store, "aaa")
    running(store, "aaa", "box")
    stop = store.workers.stop

    def obeyed(workers, name: str, word: str) -> bool:
        assert stop(name, word)
        assert store.workers.alive()[0].state_word == "stopping"
        store.jobs.requeue("aaa", 1, "its worker was shut down; its state is saved")
        return store.workers.unregister(name, "t")

    monkeypatch.setattr(type(store.workers), "stop", obeyed)
    done = cli("worker", "stop", "box")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "box lets its jobs save their state, and leaves …",
        "tiny (aaa) queued: its worker was shut down; its state is saved",
        "box is gone",
    ]


def test_a_worker_that_dies_on_its_way_is_not_waited_for(cli: Cli, store, monkeypatch):
    serving(store, "box")
    monkeypatch.setattr(
        type(store.workers), "stop", lambda workers, name, word: store.redis.zadd(keys.WORKERS, {name: 0})
    )
    done = cli("worker", "stop", "box", "--drain")
    assert done.code == 7
    assert "box fell silent before it left; another worker takes its jobs over" in done.err


def test_a_worker_may_be_told_without_waiting(cli: Cli, store):
    serving(store, "box")
    done = cli("worker", "stop", "box", "--drain", "--no-wait")
    assert done.err == "box takes no new jobs, and leaves when what runs is over\n"
    assert "draining" in cli("workers").out


def test_a_worker_that_is_not_there_cannot_be_stopped(cli: Cli, store):
    serving(store, "box")
    done = cli("worker", "stop", "bax")
    assert (done.code, done.err.startswith("fusionq: no worker 'bax' is alive")) == (3, True)


@pytest.mark.parametrize("verb", [("stop",), ("resume",), ("set", "--slots", "2")])
def test_without_a_name_the_workers_are_named(cli: Cli, store, verb: tuple[str, ...]):
    done = cli("worker", *verb)
    assert (done.code, done.err) == (
        2,
        "fusionq: which worker? none is alive; start one: fusionq worker\n",
    )
    serving(store, "box")
    serving(store, "lab")
    done = cli("worker", *verb)
    assert (done.code, done.err) == (
        2,
        f"fusionq: which worker? alive are: box, lab; name it: fusionq worker {verb[0]} box\n",
    )


def test_the_slots_of_a_worker_are_changed_from_afar(cli: Cli, store):
    serving(store, "box")
    store.redis.hset("fusionq:worker:box", "slots", 3)  # it has heard
    assert cli("worker", "set", "box", "--slots", "3").err == "box has 3 slots now\n"
    assert store.redis.hget("fusionq:worker:box", "slots_wanted") == "3"
    assert cli("worker", "set", "bax", "--slots", "3").code == 3
    assert cli("worker", "set", "box", "--slots", "0").code == 2


def test_a_worker_without_room_says_why(cli: Cli, store):
    serving(store, "box")
    store.redis.hset("fusionq:worker:box", mapping={"problem": "/runs is full", "accepting": 0})
    done = cli("workers")
    assert "no room" in done.out
    assert "box takes no jobs: /runs is full\n" in done.err


def test_a_worker_in_quarantine_says_why_and_is_let_go_on(cli: Cli, store):
    serving(store, "box")
    store.workers.quarantine("box", "t", "three jobs in a row failed here", ())
    done = cli("workers")
    assert "quarantined" in done.out
    assert "box is in quarantine: three jobs in a row failed here\n" in done.err
    assert "end it: fusionq worker resume box\n" in done.err
    assert cli("worker", "resume", "box").err == "box takes jobs again within seconds\n"
    assert not store.workers.is_quarantined("box")
    assert cli("worker", "resume", "box").err == "box was not in quarantine\n"
    assert cli("worker", "resume", "bax").code == 3


@pytest.fixture
def embedded(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedRedis:
    monkeypatch.delenv(ENV_REDIS_URL)
    return EmbeddedRedis(home)  # the fixture of the home ends it


def test_the_embedded_redis_is_started_and_stopped(cli: Cli, embedded: EmbeddedRedis):
    assert cli("up").out == f"{embedded.url}\n"
    assert embedded.is_running()
    assert cli("up").code == 0
    assert cli("down").err == "stopped\n"
    assert not embedded.is_running()
    assert cli("down").err == "the embedded Redis does not run\n"


def test_any_verb_starts_the_embedded_redis(cli: Cli, embedded: EmbeddedRedis):
    assert cli("status").code == 0
    assert embedded.is_running()


def test_a_redis_that_workers_use_is_not_stopped_by_the_way(cli: Cli, embedded: EmbeddedRedis):
    cli("up")
    with_worker = Store.open(Settings.load())
    serving(with_worker, "busy")
    with_worker.close()
    done = cli("down")
    assert (done.code, done.err) == (7, "fusionq: workers use it: busy; stop them first, or say --force\n")
    assert embedded.is_running()
    assert cli("down", "--force").code == 0


def test_a_redis_that_is_named_is_not_ours_to_start(cli: Cli):
    assert cli("up").code == 2
