"""Sends files of a run folder to whoever asked for them and does not see the folder."""

from __future__ import annotations

import io
import logging
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.spec.paths import RunPaths
from fusionq.spec.run_files import files_of
from fusionq.store.transfers import PIECE_BYTES, Transfers
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

AT_ONCE = threading.BoundedSemaphore(2)  # what is sent takes from those that train


def send_files(node: Node, job_id: str, parts: Sequence[str], token: str) -> None:
    """In a thread of its own, so that no thread of the pool waits for somebody's slow line."""
    threading.Thread(target=_send, args=(node, job_id, parts, token), name="sending", daemon=True).start()


def _send(node: Node, job_id: str, parts: Sequence[str], token: str) -> None:
    transfers = node.store.transfers
    try:
        root = Path(node.store.jobs.get(job_id).run_dir)
        files = files_of(RunPaths(root), parts) if root.is_dir() else []
        if not root.is_dir():
            transfers.refuse(token, f"the worker {node.name} does not see {root}")
        elif not AT_ONCE.acquire(blocking=False):
            transfers.refuse(token, f"the worker {node.name} is sending to others; try again in a while")
        else:
            try:
                _send_tar(transfers, token, root, files)
            finally:
                AT_ONCE.release()
    except (FusionqError, OSError) as error:
        log.warning("sending files of %s: %s", job_id, error)


def _send_tar(transfers: Transfers, token: str, root: Path, files: Sequence[Path]) -> None:
    try:
        with (
            io.BufferedWriter(_Pieces(transfers, token), PIECE_BYTES) as out,
            tarfile.open(fileobj=out, mode="w|", bufsize=PIECE_BYTES) as tar,
        ):
            for file in files:
                _add(tar, root, file)
    except OSError as error:
        transfers.refuse(token, str(error))
        raise
    transfers.end(token)


def _add(tar: tarfile.TarFile, root: Path, file: Path) -> None:
    """As long as it is at this moment: the log of a job that runs grows."""
    try:
        with file.open("rb") as handle:
            tar.addfile(tar.gettarinfo(arcname=str(file.relative_to(root)), fileobj=handle), handle)
    except FileNotFoundError:
        pass  # a checkpoint that made room for the next


class _Pieces(io.RawIOBase):
    """What is written to it is sent."""

    def __init__(self, transfers: Transfers, token: str) -> None:
        self._transfers = transfers
        self._token = token

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._transfers.send(self._token, bytes(data))
        return len(data)
