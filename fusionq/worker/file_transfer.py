"""Sends files of a run folder to whoever asked for them and does not see the folder."""

from __future__ import annotations

import io
import logging
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path

from fusionq.errors import StateError
from fusionq.spec.paths import RunPaths
from fusionq.spec.run_files import files_of
from fusionq.store.transfers import PIECE_BYTES, Transfers
from fusionq.worker.request_threads import place_in, serve
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

AT_ONCE = threading.BoundedSemaphore(2)  # what is sent takes from those that train


def send_files(node: Node, job_id: str, parts: Sequence[str], token: str) -> None:
    """Send them, or say why not. Returns at once."""

    def refuse(reason: str) -> None:
        log.warning("files of %s cannot be sent: %s", job_id, reason)
        node.store.transfers.refuse(token, reason)

    serve("sending", lambda: _send(node, job_id, parts, token), refuse)


def _send(node: Node, job_id: str, parts: Sequence[str], token: str) -> None:
    root = Path(node.store.jobs.get(job_id).run_dir)
    if not root.is_dir():
        raise StateError(f"the worker {node.name} does not see {root}")
    with place_in(AT_ONCE, f"the worker {node.name} is sending to others; try again in a while"):
        _send_tar(node.store.transfers, token, root, files_of(RunPaths(root), parts))


def _send_tar(transfers: Transfers, token: str, root: Path, files: Sequence[Path]) -> None:
    with (
        io.BufferedWriter(_Pieces(transfers, token), PIECE_BYTES) as out,
        tarfile.open(fileobj=out, mode="w|", bufsize=PIECE_BYTES) as tar,
    ):
        for file in files:
            _add(tar, root, file)
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
