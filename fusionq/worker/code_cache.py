"""Users' code on this machine: unpacked once for each digest, for all workers that share a home.

A folder is never changed once it has its name, and never cleared while somebody holds its lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fusionq.errors import WorkerError
from fusionq.queue.tree import ArchiveError, File, digest_of, unpack
from fusionq.spec.paths import code_cache
from fusionq.spec.private import make_folder

KEPT = 40  # of at most 50 MB each: 2 GB
STALE_S = 3600.0  # a folder that a dead worker did not finish
_PART = ".part-"


@contextmanager
def code_folder(cache: Path, digest: str, fetch: Callable[[], bytes]) -> Iterator[Path]:
    """The folder of the code, unpacked from what `fetch` returns where it is not there yet.

    It stays for as long as the context. Raises WorkerError, ArchiveError, and what `fetch` raises.
    """
    lock = _hold(cache, digest, fetch)
    try:
        yield cache / digest
    finally:
        os.close(lock)


def hold_code(held: ExitStack, home: Path, digest: str, fetch: Callable[[], bytes]) -> str:
    """Returns the folder of a job's code, which stays for as long as `held`; '' where the job has none.

    Raises as `code_folder` does.
    """
    return str(held.enter_context(code_folder(code_cache(home), digest, fetch))) if digest else ""


def _hold(cache: Path, digest: str, fetch: Callable[[], bytes]) -> int:
    try:
        while (lock := _lock(cache / digest, fcntl.LOCK_SH)) is None:
            unpack_into(cache, digest, fetch())
        os.utime(lock)  # for who clears the cache
        return lock
    except OSError as error:
        raise _unusable(cache, error) from error


def unpack_into(cache: Path, digest: str, archive: bytes) -> Path:
    """Unpack an archive under its digest, at one stroke. Whoever is first wins; the others have the same.

    Raises ArchiveError where it is not what the digest names, WorkerError where it cannot be written.
    """
    files = unpack(archive)
    if digest_of(files) != digest:
        raise ArchiveError("the archive of the job's code is damaged: its digest is another")
    try:
        make_folder(cache)
        part = Path(tempfile.mkdtemp(prefix=_PART, dir=cache))
        try:
            _write_all(part, files)
            _put_in_place(part, cache / digest)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise _unusable(cache, error) from error
    clear(cache)
    return cache / digest


def clear(cache: Path, kept: int = KEPT) -> None:
    """Remove what was not used for longest, beyond the newest `kept`, and what was never finished."""
    with suppress(OSError):  # another worker clears too
        entries = sorted(os.scandir(cache), key=lambda entry: -entry.stat().st_mtime)
        for entry in [entry for entry in entries if not entry.name.startswith(_PART)][kept:]:
            _remove(Path(entry.path))
        for entry in entries:
            if entry.name.startswith(_PART) and time.time() - entry.stat().st_mtime > STALE_S:
                shutil.rmtree(entry.path, ignore_errors=True)


def _unusable(cache: Path, error: OSError) -> WorkerError:
    return WorkerError(f"the job's code cannot be unpacked in {cache}: {error.strerror}")


def _write_all(folder: Path, files: list[File]) -> None:
    """Links last, and where they really lead is looked at last of all: one may lead through another."""
    root = os.path.realpath(folder)
    for file in sorted(files, key=lambda file: file.is_link):
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.is_link:
            os.symlink(os.fsdecode(file.content), place)
        else:
            _write(place, file)
    for file in files:
        if file.is_link and not Path(os.path.realpath(folder / file.path)).is_relative_to(root):
            raise ArchiveError(f"the archive holds {file.path!r}, which leads outside")


def _write(place: Path, file: File) -> None:
    # Read-only: a job that writes into its own modules would change them for all that come after.
    mode = 0o555 if file.is_executable else 0o444
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
        handle.write(file.content)


def _put_in_place(part: Path, folder: Path) -> None:
    try:
        os.rename(part, folder)
    except OSError:
        if not folder.is_dir():  # else another worker was first
            raise


def _lock(folder: Path, kind: int) -> int | None:
    """Lock a folder, and make sure that it still has its name by then. None where it is gone or taken."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, kind)
    except OSError:  # it is taken; or this file system knows no locks: then nothing is ever cleared
        if kind != fcntl.LOCK_SH:
            os.close(descriptor)
            return None
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
    os.close(descriptor)
    return None


def _remove(folder: Path) -> None:
    lock = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock is None:
        return  # a job runs from it
    try:
        part = folder.with_name(f"{_PART}{folder.name}-{os.getpid()}")
        os.rename(folder, part)
        shutil.rmtree(part, ignore_errors=True)
    finally:
        os.close(lock)
