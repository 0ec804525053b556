"""Where archives of code are kept: in Redis, and those that are too large for it in the artifact folder."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.queue.snapshot import Snapshot
from fusionq.queue.tree import File, pack
from fusionq.spec.paths import artifact_file
from fusionq.spec.private import PRIVATE, make_folder, open_file
from fusionq.store.blobs import UNUSED_MS
from fusionq.store.store import Store

MOST_IN_REDIS = 8_000_000
UNUSED_S = 2 * UNUSED_MS / 1000  # one that is younger may belong to a job that is being submitted
_ELSEWHERE = b""  # what Redis holds of an archive in the artifact folder: its users are counted all the same


class CodeError(FusionqError):
    """The code of a job cannot be had."""


def keep(store: Store, runs: Path, snapshot: Snapshot, umask: int = PRIVATE) -> bool:
    """Store a snapshot. False where it is stored already. Raises CodeError, StoreUnavailableError."""
    artifact = artifact_file(runs, snapshot.digest)
    if store.blobs.exists(snapshot.digest) and (store.blobs.size(snapshot.digest) or artifact.is_file()):
        return False
    return _store(store, runs, snapshot.digest, snapshot.archive(), umask)


def restore(store: Store, runs: Path, digest: str, files: Iterable[File], umask: int = PRIVATE) -> bool:
    """Store files again that have this digest. False where they are stored. Raises CodeError."""
    return _store(store, runs, digest, pack(files), umask)


def restore_large(store: Store, runs: Path, digest: str) -> bool:
    """Let Redis know again of an archive in the artifact folder. False where there is none."""
    return artifact_file(runs, digest).is_file() and store.blobs.put(digest, _ELSEWHERE)


def _store(store: Store, runs: Path, digest: str, archive: bytes, umask: int) -> bool:
    if len(archive) <= MOST_IN_REDIS:
        return store.blobs.put(digest, archive)
    _write(artifact_file(runs, digest), archive, umask)  # first: whoever finds it in Redis must find it here
    return store.blobs.put(digest, _ELSEWHERE)


def fetch(store: Store, runs: Path, digest: str) -> bytes:
    """The archive of a snapshot. Raises CodeError, StoreUnavailableError."""
    stored = store.blobs.get(digest)
    if stored is None:
        raise CodeError("the job's code is not stored any more", hint="submit it again")
    if stored != _ELSEWHERE:
        return stored
    try:
        return artifact_file(runs, digest).read_bytes()
    except OSError as error:
        raise CodeError(
            f"the job's code cannot be read: {artifact_file(runs, digest)}: {error.strerror}",
            hint="who submits large code and who runs it must share one folder of runs, which both can read",
        ) from error


def forget(store: Store, runs: Path, digest: str, user: str) -> None:
    """A job or a sweep is gone; the code that it alone used goes with it."""
    if store.blobs.release(digest, user):
        discard(runs, digest)


def discard(runs: Path, digest: str) -> None:
    """The code is stored no more: what was too large for Redis goes from the artifact folder, too."""
    with suppress(OSError):  # another host's folder
        artifact_file(runs, digest).unlink(missing_ok=True)


def orphans(store: Store, runs: Path, *, older_s: float = 0.0) -> Iterator[tuple[Path, int]]:
    """Archives in the artifact folder that no record points to any more, with their sizes."""
    settled_at = time.time() - max(older_s, UNUSED_S)
    with suppress(OSError):
        for path in sorted(artifact_file(runs, "x").parent.iterdir()):
            if path.stat().st_mtime <= settled_at and not store.blobs.exists(path.name):
                yield path, path.stat().st_size


def _write(path: Path, content: bytes, umask: int) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        make_folder(path.parent, umask)
        with open_file(part, umask) as handle:
            handle.write(content)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise CodeError(
            f"the job's code cannot be stored: {path}: {error.strerror}",
            hint="leave files out with code.exclude; what is small is stored in Redis",
        ) from error
