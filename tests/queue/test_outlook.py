"""What a queued job may hope for."""

from __future__ import annotations

import pytest

from fusionq.queue.outlook import Outlook, outlook_of, starts_in_s, workers_for
from fusionq.store.store import Store
from tests.queue.planned import job, need_of, view, worker
from tests.queue.serving import serving
from tests.support import running, submit


@pytest.mark.parametrize(
    ("left", "ahead", "expected"),
    [
        ([], 0, None),
        ([30.0], 0, 30.0),
        ([90.0, 30.0, 60.0], 1, 60.0),
        ([90.0, 30.0], 2, None),  # somebody starts anew before: nobody knows for how long
        ([30.0, None], 0, None),
    ],
)
def test_it_starts_when_enough_others_have_ended(left: list, ahead: int, expected: float | None):
    assert starts_in_s(left, ahead) == expected


def test_only_workers_that_could_hold_it_are_named():
    workers = [
        worker("cpu"),
        worker("one", gpus=1, busy_gpus=[0]),
        worker("big", gpus=4),
        worker("off", accepting=False),
    ]
    assert workers_for(need_of(job("j", gpus="2")), view([], workers)) == ("big",)
    assert workers_for(need_of(job("j")), view([], workers)) == ("one", "big")
    assert workers_for(need_of(job("j", gpus="0")), view([], workers)) == ("cpu", "one", "big")
    assert workers_for(need_of(job("j")), view([], workers, paused={"default": ""})) == ()


def test_a_job_behind_another_is_told_when_that_ends(any_store: Store):
    serving(any_store, "box")
    for job_id in ("first", "second", "third"):
        submit(any_store, job_id)
    running(any_store, "first", "box")
    assert outlook_of(any_store, "second").starts_in_s is None  # it has not said how long it takes
    any_store.jobs.note_progress("first", {"eta_s": 90.0})
    assert outlook_of(any_store, "second") == Outlook("waits for a free slot, it is next", ("box",), 90.0)
    assert outlook_of(any_store, "third") == Outlook("waits for a free slot, 1 ahead of it", ("box",), None)
    assert outlook_of(any_store, "first") == Outlook()
