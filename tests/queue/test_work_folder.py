"""A folder in which no job could run is told in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusionq.errors import UsageError
from fusionq.queue.work_folder import work_folder


def test_a_folder_that_was_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(UsageError, match="the folder you are in is gone; change to one that is there"):
        work_folder()


def test_a_folder_whose_name_is_not_utf_8_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    monkeypatch.chdir(os.fsdecode(folder))
    with pytest.raises(
        UsageError, match=r"this folder.s name is not UTF-8: .*/caf\\xe9; submit from another"
    ):
        work_folder()


def test_any_other_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert work_folder() == tmp_path
    assert work_folder("größe") == Path("größe")
