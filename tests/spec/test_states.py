"""The table of legal moves."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED, LEGAL_MOVES, Outcome, Status


def reachable_from(start: Status) -> set[Status]:
    found, new = set(), {start}
    while new:
        found |= new
        new = set().union(*(LEGAL_MOVES[status] for status in new)) - found
    return found


def test_every_status_has_a_row():
    assert set(LEGAL_MOVES) == set(Status)


def test_every_status_is_reachable_from_the_queue():
    assert reachable_from(Status.QUEUED) == set(Status)


def test_finished_is_final():
    assert not LEGAL_MOVES[Status.FINISHED]


def test_every_job_can_end():
    assert all(Status.FINISHED in reachable_from(status) for status in Status)


def test_only_an_assigned_job_can_start():
    assert [status for status, ends in LEGAL_MOVES.items() if Status.RUNNING in ends] == [Status.ASSIGNED]


def test_the_words_are_pinned():
    assert [str(status) for status in Status] == ["waiting", "queued", "assigned", "running", "finished"]
    assert [str(outcome) for outcome in Outcome] == ["succeeded", "failed", "cancelled", "timed_out"]


def test_every_outcome_has_its_exit_code():
    assert {str(outcome): code for outcome, code in EXIT_CODES.items()} == {
        "succeeded": 0,
        "failed": 1,
        "cancelled": 4,
        "timed_out": 5,
    }
    assert EXIT_DETACHED == 130


def test_the_picture_of_the_moves_is_that_of_the_table():
    root = Path(__file__).parents[2]
    place = importlib.util.spec_from_file_location("picture", root / "tools" / "make_state_diagram.py")
    tool = importlib.util.module_from_spec(place)
    place.loader.exec_module(tool)
    assert (root / "docs" / "layers.md").read_text() == tool.text(), "run tools/make_state_diagram.py"
