"""An attempt goes through outages of Redis, and says what its worker cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.running_attempts import CANCEL, SHUTDOWN
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.worker.fakes import EPOCH, RESULT, STARTED, FakeProcess, FakeResults, Messages, Outage, give
from tests.worker.supervised import log_of, obedient, run, train

pytestmark = pytest.mark.usefixtures("hasty")


# --- outages of Redis ------------------------------------------------------------------------------


def test_an_outage_before_the_job_is_read_is_waited_out(node: Node, monkeypatch: pytest.MonkeyPatch):
    for method in ("fields", "spec"):
        Outage(monkeypatch, node.store.jobs, method, 2)
    assert run(node, train).outcome is Outcome.SUCCEEDED


def test_during_an_outage_points_wait_and_arrive_once(node: Node, monkeypatch: pytest.MonkeyPatch):
    outage = Outage(monkeypatch, node.store.streams, "append_points", 3)

    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        for number in range(1, 4):
            yield [{**EPOCH, "epoch": number}]
        while outage.left:
            yield []
        yield [RESULT]
        return 0

    run(node, script)
    assert [point["epoch"] for point in node.store.streams.points("job")] == [0, 1, 2, 3]


def test_the_end_is_told_however_long_the_outage(node: Node, monkeypatch: pytest.MonkeyPatch):
    for owner, method in (
        (node.store.streams, "append_log"),
        (node.store.streams, "append_points"),
        (node.store.jobs, "finish"),
    ):
        Outage(monkeypatch, owner, method, 5)
    assert run(node, train).outcome is Outcome.SUCCEEDED
    assert log_of(node.store) == "epoch 1\nthe end\n"
    assert len(node.store.streams.points("job")) == 2


def test_a_worker_that_leaves_during_an_outage_does_not_wait_for_its_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    Outage(monkeypatch, node.store.jobs, "requeue", 1_000_000)
    record = run(node, obedient(node, SHUTDOWN))
    assert record.status is Status.RUNNING, "its lease tells the others"


# --- what this worker cannot do --------------------------------------------------------------------


def test_a_worker_that_can_start_no_process_says_so(node: Node, results: FakeResults):
    supervise(node, results, "job", give(node))
    record = node.store.jobs.get("job")
    assert record.outcome is Outcome.FAILED
    assert record.reason == "the worker w cannot run it: job processes cannot be prepared"


def test_a_job_whose_fork_server_does_not_answer_is_lost_and_goes_on_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    def hang(*_) -> None:
        raise ForkServerError("the fork server does not answer")

    monkeypatch.setattr(node.launcher, "spawn", hang)
    record = run(node, train)
    assert (record.status, record.losses, record.failure) == (Status.QUEUED, 1, "worker_lost")
    assert record.reason == "the worker w: the fork server does not answer"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (CANCEL, (Status.FINISHED, "cancelled by the user; it had not begun")),
        (SHUTDOWN, (Status.QUEUED, "its worker was shut down; it had not begun")),
    ],
)
def test_a_job_that_is_stopped_while_the_fork_server_stands_still_does_not_wait_for_it(
    node: Node, monkeypatch: pytest.MonkeyPatch, stop: str, expected: tuple[Status, str]
):
    def hang(orders: dict, give_up: Callable[[], bool]) -> None:
        assert not give_up()
        node.running.ask_all_to_stop(stop)
        assert give_up()
        raise NotStartedError("given up")

    monkeypatch.setattr(node.launcher, "spawn", hang)
    record = run(node, train)
    assert (record.status, record.reason) == expected


def test_a_spec_that_this_version_cannot_read_fails_with_its_reason(node: Node):
    record = run(node, train, surprise=1)
    assert record.outcome is Outcome.FAILED
    assert "unknown key 'surprise'" in record.reason


def test_a_job_whose_own_run_folder_cannot_be_made_fails_with_its_reason(node: Node, tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "job").write_text("a file")
    record = run(node, train)
    assert record.outcome is Outcome.FAILED
    assert "the worker w cannot run it" in record.reason
