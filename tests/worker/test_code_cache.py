"""Unpacked code: whole or not there at all, unpacked once, and never taken from under a job."""

from __future__ import annotations

import errno
import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fusionq.errors import WorkerError
from fusionq.queue.tree import ArchiveError, File, digest_of, pack
from fusionq.worker import code_cache
from fusionq.worker.code_cache import clear, code_folder, unpack_into
from tests.queue.test_tree import EVIL, archive
from tests.support import wait_until

FILES = [
    File("own.py", b"WORD = 1\n"),
    File("run.sh", b"#!/bin/sh\necho hi\n", is_executable=True),
    File("pkg/deep/b.py", b""),
    File("pkg/link.py", b"../own.py", is_link=True),
]
DIGEST = digest_of(FILES)


def unpack_one(cache: Path, number: int) -> Path:
    files = [File("a.py", str(number).encode())]
    return unpack_into(cache, digest_of(files), pack(files))


def never() -> bytes:
    pytest.fail("what is there is not fetched again")


def test_what_is_unpacked_is_what_was_packed(tmp_path: Path):
    folder = unpack_into(tmp_path / "cache" / "code", DIGEST, pack(FILES))
    assert folder == tmp_path / "cache" / "code" / DIGEST
    assert (folder / "own.py").read_bytes() == b"WORD = 1\n"
    assert subprocess.run([folder / "run.sh"], capture_output=True).stdout == b"hi\n"
    assert os.readlink(folder / "pkg" / "link.py") == "../own.py"
    assert (folder / "pkg" / "deep" / "b.py").read_bytes() == b""
    assert [path.name for path in folder.parent.iterdir()] == [DIGEST]


def test_a_job_cannot_write_over_what_others_run(tmp_path: Path):
    folder = unpack_into(tmp_path, DIGEST, pack(FILES))
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("own.py", "run.sh")}
    assert not any(mode & 0o222 for mode in modes.values())


def test_code_is_fetched_once(tmp_path: Path):
    with code_folder(tmp_path, DIGEST, lambda: pack(FILES)) as folder:
        assert (folder / "own.py").exists()
    with code_folder(tmp_path, DIGEST, never) as again:
        assert again == folder


def test_what_cannot_be_fetched_is_told_as_it_is(tmp_path: Path):
    def fetch() -> bytes:
        raise WorkerError("gone")

    with pytest.raises(WorkerError, match="gone"), code_folder(tmp_path, DIGEST, fetch):
        pytest.fail("there is no folder")


# --- what must not be unpacked ---------------------------------------------------------------------


def everything_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("kind", EVIL)
def test_an_evil_archive_leaves_nothing_behind(tmp_path: Path, kind: str):
    cache = tmp_path / "cache"
    cache.mkdir()
    before = everything_below(tmp_path)
    with pytest.raises(ArchiveError):
        unpack_into(cache, DIGEST, archive(*EVIL[kind]))
    assert everything_below(tmp_path) == before


def test_an_archive_of_another_digest_is_refused(tmp_path: Path):
    with pytest.raises(ArchiveError, match="its digest is another"):
        unpack_into(tmp_path, DIGEST, pack([File("own.py", b"another")]))
    assert everything_below(tmp_path) == set()


def test_a_link_that_leads_out_through_another_is_refused(tmp_path: Path):
    """Each of them stays inside by its own words."""
    files = [
        File("a/b/c.py", b""),
        File("a/b/up", b"../..", is_link=True),
        File("out", b"a/b/up/../..", is_link=True),
    ]
    cache = tmp_path / "cache"
    with pytest.raises(ArchiveError, match="'out', which leads outside"):
        unpack_into(cache, digest_of(files), pack(files))
    assert list(cache.iterdir()) == []


def test_links_in_a_circle_lead_nowhere(tmp_path: Path):
    files = [File("a", b"b", is_link=True), File("b", b"a", is_link=True)]
    assert os.path.islink(unpack_into(tmp_path, digest_of(files), pack(files)) / "a")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(code_cache, "_write", fill)
    with pytest.raises(WorkerError, match=r"cannot be unpacked in .*: No space left on device"):
        unpack_into(tmp_path, DIGEST, pack(FILES))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "cache").write_text("a file")
    with (
        pytest.raises(WorkerError, match="cannot be unpacked"),
        code_folder(tmp_path / "cache" / "code", DIGEST, lambda: pack(FILES)),
    ):
        pytest.fail("there is no folder")


# --- several at once -------------------------------------------------------------------------------

MANY = [File(f"pkg{number % 20}/m{number}.py", random.Random(number).randbytes(500)) for number in range(400)]
UNPACK_WHEN_TOLD = """
import sys, pathlib
from fusionq.worker.code_cache import code_folder
from tests.worker.test_code_cache import MANY, digest_of, pack
archive = pack(MANY)
print("ready", flush=True)
sys.stdin.readline()
with code_folder(pathlib.Path(sys.argv[1]), digest_of(MANY), lambda: archive) as folder:
    print(sum(path.is_file() for path in folder.rglob("*")))
"""


def test_workers_that_unpack_the_same_at_once_have_it_all(tmp_path: Path):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", UNPACK_WHEN_TOLD, str(cache)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == ["400\n"] * 3
    assert [path.name for path in cache.iterdir()] == [digest_of(MANY)]


def test_who_comes_second_has_what_the_first_has_unpacked(tmp_path: Path):
    first = unpack_into(tmp_path, DIGEST, pack(FILES))
    node = (first / "own.py").stat().st_ino
    assert unpack_into(tmp_path, DIGEST, pack(FILES)) == first
    assert (first / "own.py").stat().st_ino == node
    assert [path.name for path in tmp_path.iterdir()] == [DIGEST]


# --- what is cleared -------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path):
    folders = [unpack_one(tmp_path, number) for number in range(4)]
    for age, folder in enumerate(folders):
        os.utime(folder, (1000 + age, 1000 + age))
    with code_folder(tmp_path, folders[0].name, never):
        pass  # used again
    clear(tmp_path, kept=2)
    assert set(tmp_path.iterdir()) == {folders[0], folders[3]}


def test_the_cache_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(code_cache.clear, "__defaults__", (3,))
    for number in range(6):
        unpack_one(tmp_path, number)
    assert len(list(tmp_path.iterdir())) == 3


def test_what_a_job_runs_from_is_never_cleared(tmp_path: Path):
    folder = unpack_one(tmp_path, 1)
    with code_folder(tmp_path, folder.name, never):
        clear(tmp_path, kept=0)
        assert (folder / "a.py").exists()
    clear(tmp_path, kept=0)
    assert list(tmp_path.iterdir()) == []


HOLD = """
import sys, pathlib
from fusionq.worker.code_cache import code_folder
with code_folder(pathlib.Path(sys.argv[1]), sys.argv[2], bytes):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_another_worker_runs_from_is_kept_until_it_dies(tmp_path: Path):
    folder = unpack_one(tmp_path, 1)
    command = [sys.executable, "-c", HOLD, str(tmp_path), folder.name]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    clear(tmp_path, kept=0)
    assert folder.exists()
    holder.kill()
    holder.communicate()

    def is_cleared() -> bool:
        clear(tmp_path, kept=0)
        return not folder.exists()

    wait_until(is_cleared)


def test_a_folder_that_is_cleared_between_look_and_lock_is_unpacked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = unpack_into(tmp_path, DIGEST, pack(FILES))
    flock = code_cache.fcntl.flock
    fetched = []

    def clear_first(descriptor: int, kind: int) -> None:
        monkeypatch.setattr(code_cache.fcntl, "flock", flock)
        clear(tmp_path, kept=0)
        flock(descriptor, kind)

    def fetch() -> bytes:
        fetched.append(1)
        return pack(FILES)

    monkeypatch.setattr(code_cache.fcntl, "flock", clear_first)
    with code_folder(tmp_path, DIGEST, fetch):
        assert (folder / "own.py").exists()
    assert fetched == [1]


def test_without_locks_code_is_unpacked_and_never_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(code_cache.fcntl, "flock", refuse)
    with code_folder(tmp_path, DIGEST, lambda: pack(FILES)) as folder:
        clear(tmp_path, kept=0)
        assert (folder / "own.py").exists()


def test_what_a_dead_worker_did_not_finish_is_removed_after_a_while(tmp_path: Path):
    old, young = tmp_path / ".part-old", tmp_path / ".part-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "a.py").write_text("")
    an_age_ago = time.time() - 2 * code_cache.STALE_S
    os.utime(old, (an_age_ago, an_age_ago))
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
