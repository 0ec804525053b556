"""Run folders on this machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fusionq.queue import run_folders
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.store import Store
from tests.support import submit

FINISHED = JobRecord("abc", "tiny", Status.FINISHED, host="box")


def make(runs: Path, job_id: str, *, age_s: float = 10_000.0) -> Path:
    """A run folder as a worker leaves it, in which nothing changed for a while."""
    folder = runs / job_id
    for name in ("job.yaml", "output.log", "checkpoints/a.pt", "best_models/m.pth"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    then = folder.stat().st_mtime - age_s
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (then, then))
    return folder


def test_a_folder_is_found_where_this_machine_sees_it(tmp_path: Path):
    folder = make(tmp_path, "abc")
    assert run_folders.folder_here(replace(FINISHED, run_dir=str(folder))) == folder
    assert run_folders.folder_here(replace(FINISHED, run_dir="/elsewhere/abc")) is None
    assert run_folders.folder_here(FINISHED) is None


def test_a_folder_at_which_nobody_may_look_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As one in the home of another user: it must not end the clean-up of all others."""
    folder = make(tmp_path, "abc")

    def closed(path: object, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "lstat", closed)
    monkeypatch.setattr(os, "stat", closed)
    found = run_folders.folder_here(replace(FINISHED, run_dir=str(folder)))
    monkeypatch.undo()
    assert found is None


def test_a_folder_that_is_not_named_like_its_job_is_never_touched(tmp_path: Path):
    assert run_folders.folder_here(replace(FINISHED, run_dir=str(make(tmp_path, "precious")))) is None
    (tmp_path / "abc").symlink_to(make(tmp_path, "other"))
    assert run_folders.folder_here(replace(FINISHED, run_dir=str(tmp_path / "abc"))) is None


def test_where_a_folder_lies_elsewhere_is_told():
    assert run_folders.place_elsewhere(replace(FINISHED, run_dir="/runs/abc")) == "box:/runs/abc"
    assert (
        run_folders.place_elsewhere(replace(FINISHED, run_dir="/r/abc", host="")) == "another machine:/r/abc"
    )
    assert run_folders.place_elsewhere(replace(FINISHED, run_dir="/r/abc", host=os.uname().nodename)) == ""
    assert run_folders.place_elsewhere(FINISHED) == ""


def test_all_files_of_a_folder_count(tmp_path: Path):
    folder = make(tmp_path, "abc")
    (folder / "loop").symlink_to(tmp_path)
    assert 400 <= run_folders.size_of(folder) < 600
    assert run_folders.size_of(tmp_path / "gone") == 0


def test_the_state_goes_and_the_models_stay(tmp_path: Path):
    folder = make(tmp_path, "abc")
    run_folders.remove_state(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["best_models", "job.yaml"]
    run_folders.remove_state(folder)
    run_folders.remove_state(tmp_path / "gone")


def test_a_folder_without_a_record_is_an_orphan_once_nothing_changes_in_it(store: Store, tmp_path: Path):
    submit(store, "known")
    make(tmp_path, "known")
    make(tmp_path, "fresh", age_s=60)
    lost = make(tmp_path, "lost")
    (tmp_path / "notes").mkdir()
    make(tmp_path, ".artifacts")
    assert list(run_folders.orphans(store, tmp_path)) == [lost]
    assert list(run_folders.orphans(store, tmp_path, older_s=20_000)) == []
    assert list(run_folders.orphans(store, tmp_path / "none")) == []


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_removed_is_gone(tmp_path: Path, is_file: bool):
    path = tmp_path / "file" if is_file else make(tmp_path, "abc")
    if is_file:
        path.write_text("x")
    assert run_folders.remove(path)
    assert not path.exists()
