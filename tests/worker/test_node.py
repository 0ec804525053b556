"""A worker's name, what it says of itself, and how it leaves."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from fusionq.errors import StoreUnavailableError, UsageError
from fusionq.spec.states import Status
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.worker.hardware.nvml import Gpu
from fusionq.worker.processes.identity import life_of, this_machine
from fusionq.worker.running_attempts import SHUTDOWN, Attempt
from fusionq.worker.worker import Node, settings_for_worker
from tests.support import register
from tests.worker.fakes import give


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box.example.org")


# --- the name --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("box")
def test_workers_of_one_machine_are_told_apart_by_number(make_node):
    assert [make_node().name for _ in range(3)] == ["box", "box-2", "box-3"]


@pytest.mark.usefixtures("box")
def test_a_name_that_came_free_is_taken_again(make_node):
    first, _ = make_node(), make_node()
    first.leave()
    assert make_node().name == "box"


@pytest.mark.usefixtures("box")
def test_the_name_of_a_worker_that_died_is_free_again(make_node, store: Store):
    make_node()
    store.redis.zadd(keys.WORKERS, {"box": 0})
    assert make_node().name == "box"


def test_a_name_that_was_asked_for_must_be_free(make_node):
    make_node(name="mine")
    with pytest.raises(UsageError, match=r"a worker named 'mine' is alive; choose another --name"):
        make_node(name="mine")


def test_a_worker_listens_to_a_queue_of_its_own(make_node):
    assert make_node(name="mine").queue == "node.mine"


# --- what it has -----------------------------------------------------------------------------------


def test_a_worker_says_what_it_is_and_takes_nothing_before_it_is_ready(make_node, store: Store):
    make_node(name="mine", slots=3, queues=("a", "b"))
    (worker,) = store.workers.alive()
    assert (worker.name, worker.slots, worker.queues, worker.gpus) == ("mine", 3, ("a", "b"), ())
    assert (worker.host, worker.pid) == (os.uname().nodename, os.getpid())
    assert not worker.accepting


def test_a_worker_has_a_slot_for_each_gpu_or_one(make_node, monkeypatch: pytest.MonkeyPatch):
    assert make_node(name="cpu", slots=None).slots == 1
    gpus = [Gpu(0, "GPU-a", "A", 10), Gpu(1, "GPU-b", "B", 10)]
    monkeypatch.setattr("fusionq.worker.worker.find_gpus", lambda chosen: gpus)
    node = make_node(name="gpu", slots=None)
    assert node.slots == 2
    assert node.gpus_of((1,)) == [gpus[1]]


def test_the_cores_are_shared_out_among_the_slots(make_node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert make_node(name="a", slots=3).cpus_per_slot == 2
    assert make_node(name="b", slots=20).cpus_per_slot == 1


def test_its_children_find_the_redis_that_it_uses(settings, store: Store):
    assert settings_for_worker(settings, store).redis_url == store.url


def test_a_worker_that_was_killed_leaves_its_name_to_the_next_on_its_machine_at_once(make_node, store: Store):
    dead = subprocess.Popen(["true"])
    fields = {"machine": this_machine(), "life": life_of(dead.pid)}
    dead.wait()
    assert store.workers.register("w", "of the dead", 60, fields)
    assert make_node(name="w").name == "w"


@pytest.mark.parametrize("fields", [{"machine": "another", "life": "1:1.0"}, {}])
def test_of_a_worker_on_another_machine_nobody_knows_whether_it_is_dead(make_node, store: Store, fields):
    assert store.workers.register("w", "other", 60, {"host": "there", **fields})
    with pytest.raises(UsageError, match="a worker named 'w' is alive"):
        make_node(name="w")


def test_a_name_of_a_living_worker_of_this_machine_is_taken(make_node):
    make_node(name="w")
    with pytest.raises(UsageError, match="a worker named 'w' is alive"):
        make_node(name="w")


# --- leaving ---------------------------------------------------------------------------------------


def test_a_worker_that_is_to_stop_asks_its_jobs_and_takes_nothing_more(node: Node):
    attempt = Attempt("job", 1)
    node.running.add(attempt)
    node.begin_to_stop(hurry=False)
    assert (attempt.stop_reason, attempt.hurry) == (SHUTDOWN, False)
    node.register()
    assert not node.store.workers.alive()[0].accepting


def test_leaving_gives_back_what_was_not_started(node: Node):
    give(node)
    node.leave()
    record = node.store.jobs.get("job")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert record.reason == "its worker was shut down"
    assert node.store.workers.all() == []


def test_leaving_asks_for_a_pass_where_something_is_pending(node: Node):
    give(node)
    node.leave()
    assert node.store.redis.llen(f"{keys.CELERY_PREFIX}schedule") == 1


def test_a_job_is_given_back_only_when_its_process_is_gone(node: Node):
    attempt = give(node)
    node.store.jobs.start("job", attempt, 60, "there")
    seen = []
    node.launcher.on_stop = lambda: seen.append(node.store.jobs.get("job").status)
    node.leave()
    assert seen == [Status.RUNNING]
    assert node.store.jobs.get("job").status is Status.QUEUED


def test_leaving_does_not_touch_the_jobs_of_whoever_has_the_name_by_now(node: Node):
    node.store.redis.zadd(keys.WORKERS, {"w": 0})  # it was silent for too long
    register(node.store, "w", token="another")
    attempt = give(node)
    node.store.jobs.start("job", attempt, 60, "there")
    node.leave()
    assert node.store.jobs.get("job").status is Status.RUNNING
    assert [worker.name for worker in node.store.workers.alive()] == ["w"]


def test_leaving_without_redis_still_ends_the_jobs(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def gone(*_) -> None:
        raise StoreUnavailableError("no connection")

    monkeypatch.setattr(node.store.workers, "register", gone)
    stopped = []
    node.launcher.on_stop = lambda: stopped.append(1)
    node.leave()
    assert stopped
    assert re.search("cannot take leave: no connection", caplog.text)
