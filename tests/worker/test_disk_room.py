"""A worker without room on its disk takes nothing, and fails no jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionq.queue.reasons import why_each
from fusionq.spec.states import Outcome, Status
from fusionq.worker import disk_room
from fusionq.worker.disk_room import ENOUGH_BYTES, DiskRoom
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.worker.fakes import RESULT, FakeProcess, FakeResults, Messages, give

TERABYTE = 10**12


class Disk:
    """A disk whose free room a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = TERABYTE // 2
        monkeypatch.setattr(disk_room, "free_bytes", lambda _: (self.free, TERABYTE))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def disk_full(process: FakeProcess) -> Iterator[Messages]:
    yield [{"kind": "error", "class": "disk_full", "reason": "OSError: No space left on device"}]
    return 1


def succeed(process: FakeProcess) -> Iterator[Messages]:
    yield [RESULT]
    return 0


def test_a_folder_that_was_full_needs_more_room_to_be_well_again(tmp_path: Path, disk: Disk):
    room = DiskRoom((tmp_path,), 0o077)
    assert not room.check()
    disk.free = 50_000_000
    assert room.check()
    assert room.problem == f"{tmp_path} is full (50.0 MB free); it takes jobs again from 2.0 GB on"
    disk.free = 500_000_000
    room.check()
    assert room.problem
    disk.free = ENOUGH_BYTES
    assert room.check()
    assert room.problem == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_which_a_job_failed_needs_room_for_one(tmp_path: Path, disk: Disk):
    room = DiskRoom((tmp_path,), 0o077)
    disk.free = 500_000_000
    assert not room.check()
    assert room.check(is_suspect=True)


@pytest.mark.parametrize("what", ["a file", "no room for a byte"])
def test_a_folder_that_cannot_be_written_says_why(
    tmp_path: Path, disk: Disk, what: str, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "runs"
    if what == "a file":
        folder.write_text("a file")
    else:  # such as a quota, which nothing shows but a write
        monkeypatch.setattr(
            disk_room.os, "fsync", lambda _: os.write(os.open("/dev/full", os.O_WRONLY), b"x")
        )
    room = DiskRoom((folder,), 0o077)
    assert room.check(is_suspect=True)
    assert room.problem.startswith(f"{folder} cannot be written: ")


def test_a_full_disk_fails_no_job_and_takes_no_more_until_there_is_room(node: Node, disk: Disk):
    store, results = node.store, FakeResults()
    node.launcher.script = disk_full
    attempt = give(node, "victim")
    disk.free = 500_000_000  # what is left once the half of a checkpoint is gone
    supervise(node, results, "victim", attempt)
    victim = store.jobs.get("victim")
    assert (victim.status, victim.losses) == (Status.QUEUED, 0)
    assert victim.reason == (
        f"the worker w: {node.settings.runs} is full (500.0 MB free); it takes jobs again from 2.0 GB on"
    )
    (worker,) = store.workers.alive()
    assert (worker.accepting, worker.state_word) == (False, "no room")
    assert why_each(store, ["victim"])["victim"].startswith(
        f"the worker w takes no jobs: {node.settings.runs} is full"
    )
    assert store.jobs.assign("victim", "w", (), 60) == 0
    disk.free = TERABYTE // 2
    node.check_disk_room()
    (worker,) = store.workers.alive()
    assert (worker.accepting, worker.problem) == (True, "")
    node.launcher.script = succeed
    assert store.jobs.assign("victim", "w", (), 60) == 2
    supervise(node, results, "victim", 2)
    assert store.jobs.get("victim").outcome is Outcome.SUCCEEDED
    assert node.health.falls == []


def test_a_job_that_was_on_its_way_to_a_full_disk_goes_back(node: Node, disk: Disk):
    attempt = give(node)
    disk.free = 0
    supervise(node, FakeResults(), "job", attempt)
    record = node.store.jobs.get("job")
    assert (record.status, record.losses, node.launcher.processes) == (Status.QUEUED, 0, [])


def test_a_job_that_finds_no_room_where_there_is_much_fails_as_before(node: Node, disk: Disk):
    node.launcher.script = disk_full
    supervise(node, FakeResults(), "job", give(node))
    record = node.store.jobs.get("job")
    assert (record.outcome, record.failure) == (Outcome.FAILED, "disk_full")
    assert node.store.workers.alive()[0].accepting


def test_a_disk_that_was_full_while_the_job_ran_is_to_blame_although_it_is_not_any_more(
    node: Node, disk: Disk
):
    def fail_on_a_full_disk(process: FakeProcess) -> Iterator[Messages]:
        disk.free = 0
        node.check_disk_room()
        yield from disk_full(process)
        disk.free = TERABYTE // 2
        return 1

    node.launcher.script = fail_on_a_full_disk
    supervise(node, FakeResults(), "job", give(node))
    record = node.store.jobs.get("job")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert f"{node.settings.runs} is full (0 B free)" in record.reason


def test_a_runs_folder_that_cannot_be_made_is_no_fault_of_the_job(node: Node):
    node.settings.runs.write_text("a file")
    node.launcher.script = succeed
    supervise(node, FakeResults(), "job", give(node))
    record = node.store.jobs.get("job")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert " cannot be written: " in record.reason
