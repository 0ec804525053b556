"""What git knows of a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusionq.queue import git
from tests.queue import folders
from tests.queue.folders import make_repository, without_git, write


def listed(folder: Path) -> dict[str, bool]:
    found = git.list_files(folder)
    assert found is not None
    return dict(found)


def test_tracked_and_new_files_are_listed_and_ignored_ones_are_not(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/b.py", ignore="*.bin\nout/\n")
    write(repo, "new.py", "weights.bin", "out/c.py")
    assert listed(repo) == {".gitignore": True, "a.py": True, "pkg/b.py": True, "new.py": False}


def test_a_folder_within_a_repository_is_seen_from_itself(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/b.py")
    assert listed(repo / "pkg") == {"b.py": True}


def test_names_of_any_kind_are_listed_as_they_are(tmp_path: Path):
    names = ["with space.py", "ä.py", "new\nline.py", "-x.py"]
    repo = make_repository(tmp_path, *names)
    assert set(listed(repo)) == set(names)


def test_a_submodule_and_a_repository_within_are_looked_into(tmp_path: Path):
    library = make_repository(tmp_path / "library", "lib.py")
    repo = make_repository(tmp_path / "repo", "a.py")
    folders.git(repo, "submodule", "add", "-q", str(library), "vendored")
    make_repository(repo / "inner", "i.py", ignore="*.log\n")
    write(repo, "vendored/new.py", "inner/x.log")
    found = listed(repo)
    assert found.keys() == {
        ".gitmodules", "a.py", "inner/.gitignore", "inner/i.py", "vendored/lib.py", "vendored/new.py",
    }  # fmt: skip


def test_a_submodule_that_was_never_fetched_holds_nothing(tmp_path: Path):
    library = make_repository(tmp_path / "library", "lib.py")
    repo = make_repository(tmp_path / "repo", "a.py")
    folders.git(repo, "submodule", "add", "-q", str(library), "vendored")
    folders.git(repo, "commit", "-qm", "second")
    folders.git(tmp_path, "clone", "-q", str(repo), "clone")
    assert set(listed(tmp_path / "clone")) == {".gitmodules", "a.py"}


def test_a_folder_without_a_repository_is_not_git_s(tmp_path: Path):
    assert git.list_files(tmp_path) is None
    assert git.describe(tmp_path) == {}


def test_a_folder_that_is_ignored_is_not_git_s(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", ignore="scratch/\n")
    write(repo, "scratch/own.py")
    assert git.list_files(repo / "scratch") is None


def test_an_empty_folder_of_a_repository_is_git_s(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    (repo / "empty").mkdir()
    assert git.list_files(repo / "empty") == []


def test_without_git_nothing_is_known(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    with without_git():
        assert git.list_files(repo) is None
        assert git.describe(repo) == {}


def test_a_hook_of_another_repository_does_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    repo = make_repository(tmp_path / "one", "a.py")
    other = make_repository(tmp_path / "other", "b.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert set(listed(repo)) == {"a.py"}


# --- where the work stands -------------------------------------------------------------------------


def test_a_clean_tree_has_its_commit_and_branch(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    assert git.describe(repo) == {
        "commit": folders.git(repo, "rev-parse", "HEAD"),
        "branch": "trunk",
        "dirty": False,
        "diff": "",
    }


def test_a_change_is_told_as_a_diff_that_applies(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/b.py")
    write(repo, "a.py", content="changed = 1\n")
    described = git.describe(repo / "pkg")
    assert described["dirty"]
    assert "+changed = 1" in described["diff"]
    write(tmp_path, "the.patch", content=described["diff"])
    folders.git(repo, "checkout", "-q", "a.py")
    folders.git(repo, "apply", "the.patch")
    assert (repo / "a.py").read_text() == "changed = 1\n"


def test_a_new_file_makes_dirty_and_is_in_no_diff(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    write(repo, "new.py")
    described = git.describe(repo)
    assert (described["dirty"], described["diff"]) == (True, "")


def test_what_is_left_out_of_the_code_is_left_out_of_the_diff(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "secret.env", "pkg/secret.env", "big/x.py")
    write(repo, "a.py", "secret.env", "pkg/secret.env", "big/x.py", content="changed\n")
    diff = git.describe(repo, ["secret.env", "big/"])["diff"]
    assert "a.py" in diff
    assert "secret" not in diff
    assert "big" not in diff


def test_before_the_first_commit_there_is_none(tmp_path: Path):
    folders.git(tmp_path, "init", "-q", "-b", "trunk")
    write(tmp_path, "a.py")
    assert git.describe(tmp_path) == {"commit": "", "branch": "trunk", "dirty": True, "diff": ""}


def test_a_detached_head_has_no_branch(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    folders.git(repo, "checkout", "-q", "--detach")
    assert git.describe(repo)["branch"] == ""


def test_a_huge_diff_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    repo = make_repository(tmp_path, "a.py")
    write(repo, "a.py", content="x = 1\n" * 1000)
    monkeypatch.setattr(git, "MOST_DIFF_BYTES", 100)
    told = git.describe(repo)["diff"]
    assert len(told) == 100 + len(git.CUT)
    assert told.endswith(git.CUT)


def test_git_that_takes_too_long_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    repo = make_repository(tmp_path / "repo", "a.py")
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "TIMEOUT_S", 0.1)
    assert git.list_files(repo) is None
