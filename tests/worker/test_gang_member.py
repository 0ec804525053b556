"""The part of a job that another worker leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.spec.failures import ERROR
from fusionq.spec.states import Status
from fusionq.worker import gang_member
from fusionq.worker.protocol import EXIT_DONE, EXIT_FAILED
from fusionq.worker.running_attempts import Attempt
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.support import register
from tests.worker.fakes import FakeProcess, FakeResults, Messages, Outage, put

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def member(make_node: Callable[..., Node]) -> Node:
    """The worker w, which has a part in a job that one leads, and whose processes could meet now."""
    node = make_node(name="w", slots=2, accepting=True)
    node.launcher.script = train
    register(node.store, "one", token="one")
    put(node.store, "job", resources={"nodes": 2})
    assert node.store.jobs.assign("job", "one", (), 60, [("w", ())]) == 1
    assert node.store.jobs.start("job", 1, 60, "there", "one")
    node.store.gangs.note_meeting("job", 1, "127.0.0.1:1")
    return node


def train(process: FakeProcess) -> Iterator[Messages]:
    yield []
    return EXIT_DONE


def gang_of(node: Node) -> tuple[Any, frozenset[str]]:
    gang = node.store.gangs.read("job")
    return gang.error, gang.done


def test_it_runs_its_ranks_and_says_when_nothing_of_them_is_left(member: Node):
    supervise(member, FakeResults(), "job", 1)
    (orders,) = member.launcher.orders
    assert (orders["node"], orders["meeting"]) == (1, "127.0.0.1:1")
    assert gang_of(member) == ({}, {"w"})
    assert member.running.all() == []
    assert member.store.jobs.get("job").status is Status.RUNNING, "its record is not ours"


@pytest.mark.parametrize("method", ["join", "note_done"])
def test_an_outage_of_redis_is_waited_out(member: Node, monkeypatch: pytest.MonkeyPatch, method: str):
    Outage(monkeypatch, member.store.gangs, method, 2)
    supervise(member, FakeResults(), "job", 1)
    assert gang_of(member) == ({}, {"w"})
    assert len(member.launcher.processes) == 1


def test_an_outage_while_the_job_is_read_does_not_fail_it(member: Node, monkeypatch: pytest.MonkeyPatch):
    Outage(monkeypatch, member.store.jobs, "spec", 2)
    supervise(member, FakeResults(), "job", 1)
    assert gang_of(member) == ({}, {"w"})
    assert len(member.launcher.processes) == 1


def test_what_failed_here_is_told_however_long_the_outage(member: Node, monkeypatch: pytest.MonkeyPatch):
    def fail(process: FakeProcess) -> Iterator[Messages]:
        yield [{"kind": "error", "class": ERROR, "reason": "rank 1: odd"}]
        return EXIT_FAILED

    member.launcher.script = fail
    Outage(monkeypatch, member.store.gangs, "note_error", 2)
    supervise(member, FakeResults(), "job", 1)
    assert gang_of(member) == ({"class": ERROR, "reason": "rank 1: odd"}, {"w"})


def test_a_worker_that_can_start_no_process_says_so(member: Node):
    member.launcher.script = None
    supervise(member, FakeResults(), "job", 1)
    error, _ = gang_of(member)
    assert error["reason"] == "the worker w cannot run it: job processes cannot be prepared"


def test_a_message_that_comes_twice_starts_its_ranks_once(member: Node, monkeypatch: pytest.MonkeyPatch):
    join = member.store.gangs.join

    def join_beside_another(*who: Any) -> Any:
        found = join(*who)
        member.running.add(Attempt("job", 1))  # as of the same message in another thread
        return found

    monkeypatch.setattr(member.store.gangs, "join", join_beside_another)
    supervise(member, FakeResults(), "job", 1)
    assert member.launcher.processes == []
    assert gang_of(member) == ({}, frozenset())
    assert len(member.running.all()) == 1


def test_a_worker_that_leaves_before_its_ranks_begin_sends_the_job_back(
    member: Node, monkeypatch: pytest.MonkeyPatch
):
    def leave(*_: Any) -> None:
        member.begin_to_stop(hurry=False)
        raise StoreUnavailableError("gone")

    asked = []

    def requeue(*who: Any) -> None:
        asked.append(who)
        member.store.jobs.requeue("job", 1, "as its leader does")

    monkeypatch.setattr(member.store.jobs, "spec", leave)
    monkeypatch.setattr(member.store.gangs, "ask_to_requeue", requeue)
    supervise(member, FakeResults(), "job", 1)
    assert asked == [("job", 1)]
    assert member.launcher.processes == []


def test_a_worker_that_is_told_to_stop_asks_until_redis_hears_it(
    member: Node, monkeypatch: pytest.MonkeyPatch
):
    def stop(process: FakeProcess) -> Iterator[Messages]:
        member.begin_to_stop(hurry=False)
        while member.store.jobs.get("job").stop_requested != "requeue":
            yield []
        member.store.jobs.requeue("job", 1, "as its leader does")
        return EXIT_DONE

    member.launcher.script = stop
    Outage(monkeypatch, member.store.gangs, "ask_to_requeue", 2)
    supervise(member, FakeResults(), "job", 1)
    assert member.launcher.processes[0].kills == 2, "at its end alone"


def test_an_attempt_that_was_taken_away_meanwhile_starts_nothing(
    member: Node, monkeypatch: pytest.MonkeyPatch
):
    get = member.store.jobs.get

    def get_another(job_id: str) -> Any:
        monkeypatch.setattr(member.store.jobs, "get", get)
        member.store.jobs.requeue(job_id, 1, "lost")
        assert member.store.jobs.assign(job_id, "one", (), 60) == 2
        return get(job_id)

    attempt = Attempt("job", 1)
    monkeypatch.setattr(member.store.jobs, "get", get_another)
    gang_member.take_part(member, attempt)
    assert member.launcher.processes == []
