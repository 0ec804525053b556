"""Which files of a folder are a job's code, and what is kept of them."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from fusionq.errors import UsageError
from fusionq.queue import outside_links, snapshot
from fusionq.queue.imported_files import imported_files
from fusionq.queue.outside_links import Entry
from fusionq.queue.snapshot import CodeTooLargeError, code_folder, is_excluded, take
from fusionq.queue.tree import File, unpack
from fusionq.spec.job import CodeSection
from fusionq.spec.own_modules import names_own_code
from tests.queue.folders import git, make_repository, without_git, write

ALL = CodeSection()


def taken(folder: Path, code: CodeSection = ALL, **more) -> set[str]:
    return {file.path for file in take(folder, code, **more).files}


# --- with git --------------------------------------------------------------------------------------


def test_what_git_tracks_and_what_is_new_is_taken_and_what_it_ignores_is_not(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/b.py", ".hidden", ignore="*.bin\n")
    write(repo, "new.py", "weights.bin")
    assert taken(repo) == {".gitignore", ".hidden", "a.py", "new.py", "pkg/b.py"}


def test_a_deleted_file_is_gone_before_it_is_committed(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "b.py", "pkg/c.py")
    (repo / "b.py").unlink()
    shutil.rmtree(repo / "pkg")
    assert taken(repo) == {"a.py"}


def test_a_file_that_became_a_folder_and_a_folder_that_became_a_file(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/c.py")
    (repo / "a.py").unlink()
    shutil.rmtree(repo / "pkg")
    write(repo, "a.py/inner.py", "pkg")
    assert taken(repo) == {"a.py/inner.py", "pkg"}


def test_a_folder_that_became_a_link_is_only_the_link(tmp_path: Path):
    """Git still lists what was in it, and the files are still to be seen through the link."""
    repo = make_repository(tmp_path, "old/a.py", "new/a.py")
    shutil.rmtree(repo / "old")
    (repo / "old").symlink_to("new")
    made = take(repo, ALL)
    assert {file.path for file in made.files} == {"new/a.py", "old"}
    assert unpack(made.archive())


def test_submodules_are_code_too(tmp_path: Path):
    library = make_repository(tmp_path / "library", "lib.py")
    repo = make_repository(tmp_path / "repo", "a.py")
    git(repo, "submodule", "add", "-q", str(library), "vendored")
    assert {"a.py", "vendored/lib.py"} <= taken(repo)


def test_the_code_stands_where_git_says(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py")
    made = take(repo, ALL)
    assert made.provenance["commit"] == git(repo, "rev-parse", "HEAD")
    assert not made.provenance["dirty"]


# --- without git -----------------------------------------------------------------------------------

NOISE = (".env", ".idea/x.py", "__pycache__/a.pyc", "pkg/old.pyc", "own.egg-info/PKG-INFO", "env/lib/x.py")


def test_without_a_repository_hidden_files_caches_and_environments_are_left_out(tmp_path: Path):
    write(tmp_path, "a.py", "pkg/b.py", "notes.txt", "env/pyvenv.cfg", *NOISE)
    assert taken(tmp_path) == {"a.py", "pkg/b.py", "notes.txt"}


def test_a_machine_without_git_walks(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "pkg/b.py", ignore="*.bin\n")
    with without_git():
        made = take(repo, ALL)
    assert {file.path for file in made.files} == {"a.py", "pkg/b.py"}
    assert made.provenance == {}


def test_the_walk_does_not_follow_links(tmp_path: Path):
    write(tmp_path, "pkg/a.py")
    (tmp_path / "pkg" / "round").symlink_to("..")
    (tmp_path / "also").symlink_to("pkg")
    assert taken(tmp_path) == {"pkg/a.py", "pkg/round", "also"}


def test_a_walk_through_far_too_much_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, *(f"f{number}" for number in range(6)))
    monkeypatch.setattr(snapshot, "MOST_LOOKED_AT", 5)
    with pytest.raises(CodeTooLargeError, match="holds more than 5 files"):
        take(tmp_path, ALL)


# --- what is left out ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        ("*.bin", {"w.bin", "pkg/w.bin"}),
        ("pkg", {"pkg/w.bin", "pkg/sub/b.py"}),
        ("pkg/", {"pkg/w.bin", "pkg/sub/b.py"}),
        ("/pkg/sub", {"pkg/sub/b.py"}),
        ("pkg/*.bin", {"pkg/w.bin"}),
        ("sub", {"pkg/sub/b.py"}),
        ("**/sub", {"pkg/sub/b.py"}),
        ("sub/b.py", set()),
        ("A.PY", set()),
    ],
)
def test_patterns_leave_files_out(tmp_path: Path, pattern: str, excluded: set[str]):
    paths = {"a.py", "w.bin", "pkg/w.bin", "pkg/sub/b.py"}
    assert {path for path in paths if is_excluded(path, [pattern])} == excluded
    write(tmp_path, *paths)
    assert taken(tmp_path, CodeSection(exclude=[pattern])) == paths - excluded
    make_repository(tmp_path)
    assert taken(tmp_path, CodeSection(exclude=[pattern])) == paths - excluded


def test_runs_are_no_code(tmp_path: Path):
    write(tmp_path, "a.py", "runs/job/output.log", "home/cache/x.py")
    leave_out = [tmp_path / "runs", tmp_path / "home"]
    assert taken(tmp_path, leave_out=leave_out) == {"a.py"}
    make_repository(tmp_path)  # even what somebody has committed of them
    assert taken(tmp_path, leave_out=leave_out) == {"a.py"}


def test_of_a_folder_of_data_only_what_is_tracked_and_modules_are_code(tmp_path: Path):
    repo = make_repository(tmp_path, "a.py", "data/labels.csv")
    write(repo, "data/image.png", "data/reader.py")
    assert taken(repo, data=[repo / "data"]) == {"a.py", "data/labels.csv", "data/reader.py"}


def test_a_data_folder_that_is_the_code_s_own_says_nothing(tmp_path: Path):
    write(tmp_path, "a.py", "b.txt")
    assert taken(tmp_path, data=[tmp_path], leave_out=[tmp_path.parent]) == {"a.py", "b.txt"}


# --- which folder ----------------------------------------------------------------------------------


def test_a_folder_of_the_folder_can_be_the_code(tmp_path: Path):
    write(tmp_path, "a.py", "src/own/b.py")
    assert taken(tmp_path, CodeSection(path="src")) == {"own/b.py"}


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match=r"code\.path: there is no folder .*/src"):
        take(tmp_path, CodeSection(path="src"))


def test_neither_home_nor_root_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (str(tmp_path), "/"):
        with pytest.raises(CodeTooLargeError, match="code: none"):
            code_folder(tmp_path, CodeSection(path=path))


# --- what is kept of a file ------------------------------------------------------------------------


def test_contents_modes_and_links_within_are_kept(tmp_path: Path):
    write(tmp_path, "a.py", "run.sh", "pkg/b.py", content="x")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "pkg" / "link.py").symlink_to("../a.py")
    (tmp_path / "to_folder").symlink_to("pkg")
    assert sorted(take(tmp_path, ALL).files, key=lambda file: file.path) == [
        File("a.py", b"x"),
        File("pkg/b.py", b"x"),
        File("pkg/link.py", b"../a.py", is_link=True),
        File("run.sh", b"x", is_executable=True),
        File("to_folder", b"pkg", is_link=True),
    ]


def test_links_that_lead_out_are_what_they_lead_to_and_what_is_no_file_is_told(tmp_path: Path):
    outside = tmp_path / "outside.py"
    outside.write_text("outside = 1\n")
    folder = tmp_path / "work"
    write(folder, "a.py", "pkg/b.py")
    (folder / "pkg" / "out").symlink_to("../../outside.py")
    (folder / "absolute").symlink_to(folder / "a.py")
    (folder / "nothing").symlink_to("../nothing.py")
    (folder / "pkg" / "round").symlink_to("..")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # the name of a socket has a short limit
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        made = take(folder, ALL)
    stored = {file.path: file for file in made.files}
    assert set(stored) == {"a.py", "pkg/b.py", "pkg/round", "pkg/out", "absolute"}
    assert stored["absolute"] == File("absolute", b"a.py", is_link=True)
    assert stored["pkg/out"] == File("pkg/out", b"outside = 1\n")
    assert sorted(made.left_out) == [
        "nothing is not stored with the job: it is a link to nothing",
        "pipe is not stored with the job: it is not a file",
        "socket is not stored with the job: it is not a file",
    ]
    assert unpack(made.archive())


def test_a_package_that_is_linked_to_is_taken_along_and_data_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path, "lib/__init__.py", "lib/deep/x.py", "lib/.env", "lib/w.bin", "images/1.png", "id_rsa")
    write(tmp_path, "large.csv", content="x" * 90)
    folder = tmp_path / "work"
    write(folder, "a.py")
    for name in ("lib", "images", "id_rsa", "large.csv"):
        (folder / f"my_{name}").symlink_to(tmp_path / name)
    monkeypatch.setattr(outside_links, "MOST_FILE_BYTES", 50)
    made = take(folder, CodeSection(exclude=["*.bin"]))
    assert {file.path for file in made.files} == {"a.py", "my_lib/__init__.py", "my_lib/deep/x.py"}
    assert sorted(made.left_out) == [
        "my_id_rsa is not stored with the job: by the name of its target it holds secrets",
        "my_images is not stored with the job: it is a link out of the folder, to one without Python modules",
        "my_large.csv is not stored with the job: it is a link out of the folder, to a file of 90 B, "
        "more than the 50 B that are taken along",
    ]
    monkeypatch.setattr(outside_links, "MOST_FOLDER_FILES", 2)
    assert any("more than 2 files" in note for note in take(folder, ALL).left_out)


# --- what the job imports ----------------------------------------------------------------------------


def test_what_the_job_imports_is_taken_though_git_ignores_it(tmp_path: Path):
    repo = make_repository(tmp_path, "pkg/__init__.py", "pkg/used.py", ignore="gen*.py\nother.py\nout.py\n")
    write(repo, "own.py", content="import torch, gen\nfrom pkg.used import x\n")
    write(repo, "pkg/used.py", content="from .gen_deep import y\nimport out\n")
    write(repo, "gen.py", "pkg/gen_deep.py", "other.py", "out.py", "gen_idle.py")
    made = take(repo, CodeSection(exclude=["out.py"]), names=["own.Trainer", "torch.nn.Linear"])
    paths = {file.path for file in made.files}
    assert paths == {".gitignore", "own.py", "pkg/__init__.py", "pkg/used.py", "gen.py", "pkg/gen_deep.py"}
    assert sorted(made.left_out) == [
        "gen.py is stored with the job, which imports it, although git ignores it",
        "out.py is not stored with the job, which imports it: code.exclude leaves it out",
        "pkg/gen_deep.py is stored with the job, which imports it, although git ignores it",
    ]


def test_a_module_that_cannot_be_parsed_ends_no_submission(tmp_path: Path):
    write(tmp_path, "own.py", content="def (:\n")
    assert imported_files(tmp_path, ["own.X", "missing.Y"]) == ["own.py"]


def test_a_name_that_no_file_can_have_is_none(tmp_path: Path):
    name = 300 * "a"
    assert not names_own_code({"_target_": f"{name}.X"}, tmp_path)
    assert imported_files(tmp_path, [f"{name}.X"]) == []
    with pytest.raises(UsageError, match=r"code\.path: there is no folder"):
        code_folder(tmp_path, CodeSection(path=name))


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a.py")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UsageError, match=r"a\.py cannot be stored with the job: Permission denied"):
        snapshot._read(Entry("a.py", tmp_path / "a.py", os.lstat(tmp_path / "a.py")))


def test_the_digest_knows_no_times_and_no_place(tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "a.py", "pkg/b.py")
    write(two, "pkg/b.py", "a.py")
    os.utime(two / "a.py", (1, 1))
    make_repository(two)
    assert take(one, ALL).digest == take(two, ALL).digest
    write(two, "a.py", content="another")
    assert take(one, ALL).digest != take(two, ALL).digest


# --- limits ----------------------------------------------------------------------------------------


def test_too_large_a_folder_is_refused_with_its_largest_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path, "a.py", "weights.bin", content="x" * 600)
    monkeypatch.setattr(snapshot, "MOST_BYTES", 1000)
    with pytest.raises(CodeTooLargeError) as caught:
        take(tmp_path, ALL)
    text = str(caught.value)
    assert "\n" not in text
    for word in ("1.2 KB in 2 files", "weights.bin (600 B)", "code.exclude", "code: none"):
        assert word in text
    assert taken(tmp_path, CodeSection(exclude=["*.bin"])) == {"a.py"}


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, *(f"f{number}.py" for number in range(4)))
    monkeypatch.setattr(snapshot, "MOST_FILES", 3)
    with pytest.raises(CodeTooLargeError, match="in 4 files"):
        take(tmp_path, ALL)


# --- whether there is any --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "is_own"),
    [
        ({"trainer": {"_target_": "own.Trainer"}}, True),
        ({"trainer": {"_target_": "pkg.deep.Trainer"}}, True),
        ({"trainer": {"_target_": "compiled.Trainer"}}, True),
        ({"model": {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "own.Layer"}]}}, True),
        ({"data": {"transform": [{"_target_": "own.Crop"}]}}, True),
        ({"data": {"collate_fn": "own.collate"}}, True),
        ({"metrics": {"test": [{"_target_": "own.Metric"}]}}, True),
        (
            {"data": {"train": {"_target_": "torch.utils.data.Subset", "dataset": {"_target_": "own.D"}}}},
            True,
        ),
        ({"trainer": {"_target_": "fusionq.StandardModel"}, "model": {"_target_": "torch.nn.Linear"}}, False),
        ({"model": {"_target_": "timm.Model"}}, False),
        ({"name": "own.Trainer", "tags": ["own"]}, False),
        ({"model": {"_target_": "notes.Model"}}, False),
    ],
)
def test_a_job_names_own_code_where_a_module_of_the_folder_is_named(tmp_path: Path, data: dict, is_own: bool):
    write(tmp_path, "own.py", "pkg/deep.py", "compiled.abi3.so", "fusionq/x.py", "torch.py", "notes.txt")
    assert names_own_code(data, tmp_path) is is_own
