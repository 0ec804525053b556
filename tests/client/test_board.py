"""What a board holds, and how it follows the events."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fusionq.client.board import Board
from fusionq.errors import NotFoundError
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import register, running, submit, wait_until

AT_ONCE_S = 0.001


def say(store: Store, job_id: str, text: str, end: int) -> None:
    store.streams.append_log(job_id, 1, end - len(text), end, text)


def epoch(number: int, loss: float) -> dict[str, Any]:
    return {
        "kind": "epoch",
        "epoch": number,
        "num_epochs": 4,
        "duration_s": 1.0,
        "values": {"train_loss": loss},
    }


@pytest.fixture
def busy(store: Store) -> Store:
    """One that ended, two that run, one that is queued."""
    register(store, slots=3)
    for job_id in ("over", "first", "second", "queued"):
        submit(store, job_id)
    store.jobs.finish("over", running(store, "over"), Outcome.SUCCEEDED, "")
    running(store, "first")
    running(store, "second")
    return store


def ids(board: Board) -> list[str]:
    return [row.id for row in board.snapshot().rows]


def test_what_runs_comes_first_then_what_is_queued_then_what_is_over(busy: Store):
    board = Board(busy)
    assert ids(board) == ["first", "second", "queued", "over"]
    assert board.snapshot().tally == {"succeeded": 1, "running": 2, "queued": 1, "assigned": 0}
    assert [worker.name for worker in board.snapshot().workers] == ["worker"]


def test_an_empty_queue_has_no_chosen_job(store: Store):
    board = Board(store)
    assert (board.snapshot().rows, board.snapshot().chosen) == ([], None)
    board.choose(1)
    assert board.snapshot().chosen is None
    submit(store, "new")
    board.follow(AT_ONCE_S)
    assert board.snapshot().chosen is not None
    assert board.snapshot().chosen.id == "new"


def test_the_job_that_was_started_last_is_chosen_until_somebody_chooses(busy: Store):
    board = Board(busy)
    assert board.snapshot().chosen.id == "second"
    board.choose(-1)
    assert board.snapshot().chosen.id == "first"
    board.choose(-1)
    assert board.snapshot().chosen.id == "first"
    running(busy, "queued")
    board.follow(AT_ONCE_S)
    assert ids(board)[:3] == ["first", "second", "queued"]
    assert board.snapshot().chosen.id == "first"


def test_a_job_that_is_asked_for_stays_chosen(busy: Store):
    board = Board(busy, "over")
    running(busy, "queued")
    board.follow(AT_ONCE_S)
    assert board.snapshot().chosen.id == "over"
    with pytest.raises(NotFoundError):
        Board(busy, "nobody")


def test_output_and_points_are_read_and_followed_each_once(busy: Store):
    say(busy, "second", "one\n", 4)
    busy.streams.append_points("second", [epoch(1, 0.5)])
    board = Board(busy)
    say(busy, "second", "two\n", 8)
    say(busy, "second", "two\n", 8)  # a worker that heard no answer
    busy.streams.append_points("second", [epoch(2, 0.25)])
    board.follow(AT_ONCE_S)
    assert board.snapshot().output == "one\ntwo\n"
    assert board.snapshot().curves.column("train_loss") == [0.5, 0.25]
    board.choose(-1)
    assert (board.snapshot().output, list(board.snapshot().curves)) == ("", [])


def test_within_the_first_epoch_the_curve_is_of_its_progress(busy: Store):
    told = {"kind": "progress", "phase": "train", "epoch": 1, "num_epochs": 4, "num_batches": 10}
    points = [{**told, "batch": batch, "values": {"train_loss": 1.0 / batch}} for batch in (5, 10)]
    busy.streams.append_points("second", points)
    assert list(Board(busy).snapshot().curves) == [
        {"epoch": 0.5, "train_loss": 0.2},
        {"epoch": 1.0, "train_loss": 0.1},
    ]


def test_progress_is_looked_at_without_an_event(busy: Store, monkeypatch: pytest.MonkeyPatch):
    board = Board(busy)
    busy.jobs.note_progress("first", {"kind": "epoch", "epoch": 3, "num_epochs": 4})
    monkeypatch.setattr("fusionq.client.board.PROGRESS_S", 0.0)
    board.follow(AT_ONCE_S)
    assert board.snapshot().rows[0].progress["epoch"] == 3


def test_news_of_a_job_that_is_not_chosen_any_more_are_not_taken_for_the_others(busy: Store):
    board = Board(busy)
    thread = threading.Thread(target=board.follow, args=(30.0,))
    thread.start()
    wait_until(
        lambda: "xread" in {client["cmd"] for client in busy.redis.client_list()}, what="the reader to wait"
    )
    board.choose(-1)
    say(busy, "second", "of the second\n", 14)
    thread.join()
    assert (board.snapshot().chosen.id, board.snapshot().output) == ("first", "")
    say(busy, "first", "of the first\n", 13)
    board.follow(AT_ONCE_S)
    assert board.snapshot().output == "of the first\n"


def test_a_job_that_was_removed_stays_as_it_was(busy: Store):
    board = Board(busy, "over")
    busy.redis.delete(keys.job("over"))
    submit(busy, "new")
    board.follow(AT_ONCE_S)
    assert board.snapshot().chosen.outcome is Outcome.SUCCEEDED


def test_what_is_shown_waits_for_nobody_and_changes_all_at_once(busy: Store, monkeypatch: pytest.MonkeyPatch):
    board = Board(busy)
    submit(busy, "new")
    within, go_on = threading.Event(), threading.Event()
    tally = type(busy.queues).tally

    def slow(queues) -> dict[str, int]:
        within.set()
        assert go_on.wait(60)
        return tally(queues)

    monkeypatch.setattr(type(busy.queues), "tally", slow)
    thread = threading.Thread(target=board.follow, args=(AT_ONCE_S,))
    thread.start()
    assert within.wait(60)
    before = board.snapshot()  # the jobs are read, and the number of them is not
    go_on.set()
    thread.join()
    assert "new" not in [row.id for row in before.rows]
    assert "new" in ids(board)
    assert sum(board.snapshot().tally.values()) == sum(before.tally.values()) + 1
