"""How an attempt ends that is stopped, dies, or is taken away."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from fusionq.worker import log_forwarder
from fusionq.worker.running_attempts import CANCEL, LOST, SHUTDOWN
from fusionq.worker.worker import Node
from tests.support import register
from tests.worker.fakes import EPOCH, STARTED, FakeProcess, FakeResults, Messages, Script
from tests.worker.supervised import dies, log_of, obedient, run

pytestmark = pytest.mark.usefixtures("hasty")


# --- stopping --------------------------------------------------------------------------------------


def stubborn(node: Node, reason: str) -> Script:
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.running.ask_all_to_stop(reason)
        while True:
            yield []

    return script


def test_a_cancelled_job_is_asked_once_and_ends_as_cancelled(node: Node):
    record = run(node, obedient(node, CANCEL))
    assert (record.outcome, record.reason) == (
        Outcome.CANCELLED,
        "cancelled by the user; its state is saved",
    )
    assert node.launcher.processes[0].asked == 1


def test_a_job_that_does_not_stop_within_its_grace_is_killed(node: Node):
    record = run(node, stubborn(node, CANCEL), grace=0.01)
    assert record.outcome is Outcome.CANCELLED
    assert record.reason == "cancelled by the user; killed after 0.0s of grace"
    assert node.launcher.processes[0].asked == 1


def test_a_job_over_its_time_limit_is_stopped(node: Node):
    record = run(node, obedient(node, ""), timeout=0.01)
    assert record.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("stop", ["timeout", CANCEL])
def test_a_job_that_prints_faster_than_redis_takes_it_is_stopped_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch, stop: str
):
    monkeypatch.setattr(log_forwarder, "TURN_S", 0.01)
    append = node.store.streams.append_log

    def meanwhile_more(*chunk, **more) -> None:
        node.launcher.processes[0].say("x" * 2 * log_forwarder.CHUNK_BYTES)
        append(*chunk, **more)

    def script(process: FakeProcess) -> Iterator[Messages]:
        process.say("x" * 2 * log_forwarder.CHUNK_BYTES)
        if stop == CANCEL:
            node.running.ask_all_to_stop(CANCEL)
        while not process.asked:
            yield []
        monkeypatch.setattr(node.store.streams, "append_log", append)
        return 75

    monkeypatch.setattr(node.store.streams, "append_log", meanwhile_more)
    limit = {"timeout": 0.01} if stop == "timeout" else {}
    record = run(node, script, output_limit=1_000_000, **limit)
    assert record.outcome is (Outcome.TIMED_OUT if limit else Outcome.CANCELLED)
    assert (node.settings.runs / "job" / "output.log").stat().st_size < 2_000_000


def test_a_shutdown_puts_the_job_back_and_takes_it_no_more(node: Node):
    record = run(node, obedient(node, SHUTDOWN))
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert record.reason == "its worker was shut down; its state is saved"
    assert not node.store.workers.alive()[0].accepting


def test_a_second_signal_leaves_no_grace(node: Node):
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.begin_to_stop(hurry=True)
        while True:
            yield []

    record = run(node, script, grace=1000.0)
    assert record.status is Status.QUEUED


# --- losses ----------------------------------------------------------------------------------------


def test_a_job_that_dies_goes_back_and_the_loss_is_counted(node: Node):
    record = run(node, dies)
    assert (record.status, record.losses) == (Status.QUEUED, 1)
    assert record.reason == "its process crashed (SIGSEGV)"
    assert log_of(node.store) == "going down\n"


def test_a_job_that_dies_waits_for_its_backoff(node: Node):
    record = run(node, dies, retry={"max": 1, "backoff": 60})
    assert (record.status, record.losses) == (Status.WAITING, 1)
    assert 59 < record.due_at - record.started_at < 95, "60 s, up to half as much again"


def test_an_error_that_its_job_file_wants_tried_again_goes_back(node: Node):
    def fail(process: FakeProcess) -> Iterator[Messages]:
        yield [{"kind": "error", "class": "oom", "reason": "out of memory: 2 GiB"}]
        return 1

    record = run(node, fail)
    assert (record.status, record.losses, record.reason) == (Status.QUEUED, 1, "out of memory: 2 GiB")


def test_a_job_that_died_too_often_fails(node: Node):
    record = run(node, dies, retry={"max": 0})
    assert record.outcome is Outcome.FAILED


def test_a_job_that_dies_while_it_is_cancelled_does_not_start_anew(node: Node):
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.running.ask_all_to_stop(CANCEL)
        yield []
        return -signal.SIGSEGV

    record = run(node, script)
    assert record.outcome is Outcome.CANCELLED


def take_away(store: Store) -> None:
    """Another worker has the job by now."""
    register(store, "other", token="another")
    store.jobs.requeue("job", 1, "lost")
    assert store.jobs.assign("job", "other", (), 60) == 2
    assert store.jobs.start("job", 2, 60, "there")


def test_a_job_that_was_taken_from_us_is_killed_and_we_write_nothing(node: Node, results: FakeResults):
    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        take_away(node.store)
        process.say("words of the dead\n")
        node.running.ask_all_to_stop(LOST)
        while True:
            yield [EPOCH]

    record = run(node, script, results, grace=1000.0)
    assert (record.status, record.attempt, record.worker) == (Status.RUNNING, 2, "other")
    assert record.progress == {}
    assert log_of(node.store) == ""
    assert [point["kind"] for point in node.store.streams.points("job")] == ["started"]
    assert results.ends == []
    assert node.launcher.processes[0].kills
