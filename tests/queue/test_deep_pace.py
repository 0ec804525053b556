"""A machine on which torch loads slowly is found out once, not at every submission."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.queue import deep_pace
from fusionq.queue.deep_pace import Pace


def test_what_is_not_known_may_be_quick(tmp_path: Path):
    assert Pace(tmp_path).may_be_quick()


def test_what_was_slow_is_not_tried_again(tmp_path: Path):
    Pace(tmp_path).note(is_quick=False)
    assert not Pace(tmp_path).may_be_quick()
    Pace(tmp_path).note(is_quick=True)
    assert Pace(tmp_path).may_be_quick()


def test_after_a_day_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Pace(tmp_path).note(is_quick=False)
    now = deep_pace.time.time()
    monkeypatch.setattr(deep_pace.time, "time", lambda: now + deep_pace.REMEMBERED_S + 1)
    assert Pace(tmp_path).may_be_quick()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"python": 1}', "null"])
def test_a_damaged_note_is_no_note(tmp_path: Path, text: str):
    pace = Pace(tmp_path)
    pace.note(is_quick=False)
    (tmp_path / "cache" / "deep_check.json").write_text(text)
    assert pace.may_be_quick()
