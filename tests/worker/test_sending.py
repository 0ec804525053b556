"""Files of a job go through Redis from a worker that sees them to whoever asked."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusionq.client.download import download
from fusionq.errors import NotFoundError
from fusionq.store import keys, transfers
from fusionq.store.transfers import TransferError
from fusionq.worker import file_transfer as sending
from fusionq.worker.file_transfer import send_files
from tests.support import register, running, submit


class Sender:
    """Hands what is asked for to a worker at once; `deaf` ones hear nothing."""

    def __init__(self, store, deaf: tuple[str, ...] = ()) -> None:
        self._store = store
        self._deaf = deaf
        self.asked: list[str] = []

    def send_files(self, worker: str, job_id: str, parts, token: str) -> None:
        self.asked.append(worker)
        if worker not in self._deaf:
            send_files(SimpleNamespace(store=self._store, name=worker), job_id, parts, token)


@pytest.fixture
def record(store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a job whose folder the worker sees and we do not."""
    monkeypatch.setattr("fusionq.client.download.ANSWER_WITHIN_S", 0.01)
    folder = tmp_path / "runs" / "aaa"
    (folder / "best_models").mkdir(parents=True)
    (folder / "output.log").write_text("one\n")
    (folder / "best_models" / "model_1.pth").write_bytes(bytes(range(256)) * 20_000)
    (folder / "empty.txt").touch()
    register(store, "box", slots=2)
    submit(store, "aaa")
    running(store, "aaa", "box")
    store.redis.hset(keys.job("aaa"), "run_dir", str(folder))
    here = {"is": False}
    monkeypatch.setattr("fusionq.client.download._is_here", lambda root: here["is"])
    found = store.jobs.get("aaa")
    return SimpleNamespace(job=found, folder=folder, here=here)


def test_they_arrive_as_they_were(store, record, tmp_path: Path):
    sender = Sender(store)
    found = download(store, sender, record.job, tmp_path / "here")
    assert [str(file.relative_to(tmp_path / "here")) for file in found] == [
        "best_models/model_1.pth",
        "empty.txt",
        "output.log",
    ]
    for file in found:
        assert file.read_bytes() == (record.folder / file.relative_to(tmp_path / "here")).read_bytes()
    assert sender.asked == ["box"]
    assert store.redis.keys(keys.transfer("*")) == []


def test_a_part_is_all_that_is_asked_for(store, record, tmp_path: Path):
    found = download(store, Sender(store), record.job, tmp_path / "here", ["logs"])
    assert [file.name for file in found] == ["output.log"]


def test_where_the_folder_is_seen_it_is_copied(store, record, tmp_path: Path):
    record.here["is"] = True
    sender = Sender(store)
    assert len(download(store, sender, record.job, tmp_path / "here")) == 3
    assert sender.asked == []


def test_a_large_file_never_lies_in_redis_as_a_whole(store, record, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(transfers, "MOST_PIECES", 2)
    monkeypatch.setattr(sending, "PIECE_BYTES", 10_000)
    most = []
    receive = type(store.transfers).receive

    def watched(self, token: str, first_within_s: float):
        for piece in receive(self, token, first_within_s):
            most.append(store.redis.llen(keys.transfer(token)))
            yield piece

    monkeypatch.setattr(type(store.transfers), "receive", watched)
    download(store, Sender(store), record.job, tmp_path / "here")
    assert len(most) > 100
    assert max(most) <= 3, "two, and the word that it was all"


def test_whoever_does_not_answer_is_not_the_only_one_who_is_asked(store, record, tmp_path: Path):
    register(store, "other")
    store.redis.hset(keys.worker("other"), "host", "host")
    sender = Sender(store, deaf=("box",))
    assert len(download(store, sender, record.job, tmp_path / "here")) == 3
    assert sender.asked == ["box", "other"]


def test_what_cannot_be_had_says_why_and_where_it_is(store, record, tmp_path: Path):
    with pytest.raises(NotFoundError, match="nobody sends the files"):
        download(store, Sender(store, deaf=("box",)), record.job, tmp_path / "here")
    with pytest.raises(NotFoundError, match="no such files yet"):
        download(store, Sender(store), record.job, tmp_path / "here", ["checkpoints"])
    store.redis.hset(keys.job("aaa"), "run_dir", "/not/here")
    with pytest.raises(NotFoundError, match="the worker box does not see /not/here") as caught:
        download(store, Sender(store), store.jobs.get("aaa"), tmp_path / "here")
    assert "/not/here on host" in str(caught.value.hint)


def test_a_sender_does_not_wait_for_ever(store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transfers, "SILENCE_S", 1.0)
    monkeypatch.setattr(transfers, "MOST_PIECES", 1)
    store.transfers.send("t", b"x")
    monkeypatch.setattr(transfers, "SILENCE_S", 0.0)
    with pytest.raises(TransferError, match="nobody takes"):
        store.transfers.send("t", b"y")


def test_only_so_many_are_sent_to_at_once(store, record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "AT_ONCE", threading.BoundedSemaphore(1))
    with sending.AT_ONCE, pytest.raises(NotFoundError, match="is sending to others"):
        download(store, Sender(store), record.job, tmp_path / "here")


def test_what_cannot_be_read_is_told_at_once(store, record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/runs/aaa")

    monkeypatch.setattr(sending, "files_of", fail)
    with pytest.raises(NotFoundError, match="Permission denied: '/runs/aaa'"):
        download(store, Sender(store), record.job, tmp_path / "here")
