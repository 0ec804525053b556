"""The run folders on this machine: how large they are, which belong to nobody, and taking them away."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fusionq.spec.paths import RunPaths
from fusionq.spec.record import JobRecord
from fusionq.store.bulk import chunks
from fusionq.store.store import Store

SETTLED_S = 3600.0  # a folder that changed since may be a job's of another Redis


def folder_here(record: JobRecord) -> Path | None:
    """The run folder of a job, None where this machine does not see it."""
    folder = Path(record.run_dir)
    # What is not named like its job was never made by a worker, and is not ours to remove. What lies in a
    # folder that only another user may enter is not seen.
    if not record.run_dir or folder.name != record.id or os.path.islink(folder) or not os.path.isdir(folder):
        return None
    return folder


def place_elsewhere(record: JobRecord) -> str:
    """`host:folder` of a job that ran where this machine cannot see it; '' for one that never ran."""
    if not record.run_dir or record.host == os.uname().nodename:
        return ""
    return f"{record.host or 'another machine'}:{record.run_dir}"


def size_of(folder: Path) -> int:
    """The bytes of all files in it; what vanishes meanwhile counts as nothing."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                is_folder = entry.is_dir(follow_symlinks=False)
                total += size_of(Path(entry.path)) if is_folder else entry.stat(follow_symlinks=False).st_size
    return total


def remove(folder: Path) -> bool:
    """Remove a folder with all that is in it, or a file. False where something of it is left."""
    if folder.is_file():
        folder.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def forget_record(folder: Path) -> None:
    """Remove what the job could be put back from: it was removed on purpose."""
    with suppress(OSError):
        RunPaths(folder).record.unlink(missing_ok=True)


def remove_state(folder: Path) -> None:
    """Remove what serves only to go on with the job, or is in its log: models and results stay."""
    paths = RunPaths(folder)
    shutil.rmtree(paths.checkpoints, ignore_errors=True)
    with suppress(OSError):
        paths.output_log.unlink(missing_ok=True)


def orphans(store: Store, runs: Path, *, older_s: float = 0.0) -> Iterator[Path]:
    """Run folders without a record in Redis in which nothing changed for an hour, or for `older_s`."""
    settled_at = time.time() - max(older_s, SETTLED_S)
    for names in chunks(sorted(_run_folders(runs)), 500):
        known = store.removal.existing(names)
        for name in names:
            if name not in known and _changed_at(runs / name) <= settled_at:
                yield runs / name


def _run_folders(runs: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(runs) as entries:
        for entry in entries:
            is_run = entry.is_dir(follow_symlinks=False) and RunPaths(Path(entry.path)).job_file.is_file()
            if is_run and not entry.name.startswith("."):
                yield entry.name


def _changed_at(folder: Path) -> float:
    """The last change of the folder, or of anything that lies in it directly."""
    newest = 0.0
    with suppress(OSError):
        newest = folder.stat().st_mtime
        for entry in os.scandir(folder):
            newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    return newest
