"""The files of a job here, wherever they lie: copied where this machine sees them, else sent by a worker."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path

from fusionq.errors import NotFoundError, UsageError
from fusionq.queue.sender import Sender
from fusionq.spec.paths import RunPaths
from fusionq.spec.record import JobRecord
from fusionq.spec.run_files import files_of
from fusionq.store.store import Store
from fusionq.store.transfers import TransferError

ANSWER_WITHIN_S = 10.0
MOST_WORKERS = 3  # that are asked, one after the other


def download(
    store: Store, sender: Sender, record: JobRecord, folder: Path, parts: Collection[str] = ()
) -> list[Path]:
    """Files of the run folder into `folder`, under the names that they have there; where they are now.

    parts: of `spec.run_files`; none means all but the checkpoints. What is there already is replaced.
    Raises NotFoundError where the job has not started, nobody who is alive sees the run folder, or nothing
    like that is in it, and UsageError where `folder` takes no files.
    """
    root = record.paths.root
    try:
        if _is_here(root):
            found = [_copy(file, folder / file.relative_to(root)) for file in files_of(RunPaths(root), parts)]
        else:
            found = _from_workers(store, sender, record, folder, parts)
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {error.strerror or error}", hint="choose another with -o"
        ) from error
    if not found:
        raise NotFoundError(
            f"{record.id} has no such files yet", hint=f"its folder is {record.run_dir} on {record.host}"
        )
    return found


def _is_here(root: Path) -> bool:
    """Returns whether it can be read; one of another user may be here and closed."""
    return os.path.isdir(root) and os.access(root, os.R_OK | os.X_OK)


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return target


def _from_workers(
    store: Store, sender: Sender, record: JobRecord, folder: Path, parts: Collection[str]
) -> list[Path]:
    """From those of its host first; others see the folder where it is shared."""
    workers = sorted(store.workers.alive(), key=lambda w: (w.name != record.worker, w.host != record.host))
    why = "no worker is alive"
    for worker in workers[:MOST_WORKERS]:
        token = store.transfers.new_token()
        sender.send_files(worker.name, record.id, sorted(parts), token)
        try:
            return _unpack(store.transfers.receive(token, ANSWER_WITHIN_S), folder)
        except TransferError as error:
            why = str(error)
    raise NotFoundError(
        f"the files of {record.id} cannot be fetched: {why}",
        hint=f"they are in {record.run_dir} on {record.host}",
    )


def _unpack(pieces: Iterator[bytes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with tarfile.open(fileobj=io.BufferedReader(_Stream(pieces)), mode="r|") as tar:
        for member in tar:
            tar.extract(member, folder, filter="data")
            found.append(folder / member.name)
    for _ in pieces:  # up to the word that it was all
        pass
    return found


class _Stream(io.RawIOBase):
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
        number = min(len(buffer), len(self._rest))
        buffer[:number], self._rest = self._rest[:number], self._rest[number:]
        return number
