"""The files in which the embedded Redis keeps its data, and which server can read them.

Redis 7 moves an append-only file into a folder of parts, where an older server does not look: it would
begin with an empty queue beside all jobs. So every start checks what is there, and which version wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fusionq.errors import StoreUnavailableError
from fusionq.store.server_binary import OLDEST, ServerBinary, Version, parse_version, show_version

APPEND_FILE = "appendonly.aof"  # up to Redis 6.2
APPEND_FOLDER = "appendonlydir"  # from Redis 7 on
SNAPSHOT_FILE = "dump.rdb"
RESTORED_FILE = "dump.rdb.restored"
VERSION_FILE = "server-version"
FIRST_WITH_PARTS: Version = (7, 0)


class DataFiles:
    """The data of one embedded Redis."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / APPEND_FILE
        self._parts = folder / APPEND_FOLDER
        self._snapshot = folder / SNAPSHOT_FILE
        self._note = folder / VERSION_FILE

    def choose_server(self, binaries: Sequence[ServerBinary]) -> ServerBinary:
        """Returns the first server that can read the data. Raises StoreUnavailableError."""
        self._check_whole()
        oldest = max(self._oldest_writer(), OLDEST)
        for binary in binaries:
            if not binary.version or binary.version[:2] >= oldest[:2]:
                return binary
        written = self._oldest_writer()
        here = " and ".join(f"{show_version(one.version)} ({one.path})" for one in binaries)
        wanted = show_version(oldest)
        why = (
            f"the jobs in {self._folder} were written by Redis {wanted}"
            if written == oldest
            else f"fusionq needs Redis {wanted} or newer"
        )
        raise StoreUnavailableError(
            f"{why}, and this machine has {here}",
            hint=f"put redis-server {wanted} or newer on PATH (apt install redis-server)",
        )

    def note_writer(self, binary: ServerBinary) -> None:
        """Writes down which server has written the data. Never an older one than before."""
        if binary.version > self._noted:
            self._note.write_text(show_version(binary.version), encoding="utf-8")

    @property
    def is_snapshot_alone(self) -> bool:
        """Whether there is a snapshot to restore, and nothing that is newer."""
        return _has_bytes(self._snapshot) and not _has_bytes(self._file) and not self._has_manifest

    def set_snapshot_aside(self) -> None:
        """Renames the snapshot, whose data is in the append-only file by now."""
        self._snapshot.replace(self._folder / RESTORED_FILE)

    def _check_whole(self) -> None:
        has_parts = self._parts.is_dir() and any(self._parts.iterdir())
        if has_parts and not self._has_manifest:
            raise StoreUnavailableError(
                f"{self._parts} holds data without its .manifest file, without which Redis begins empty",
                hint="put that file back from the backup",
            )
        if has_parts and _has_bytes(self._file):
            raise StoreUnavailableError(
                f"{self._folder} holds the data of two queues: {APPEND_FOLDER} and {APPEND_FILE}",
                hint="move away the one that is older or smaller, and keep it until you know which you need",
            )

    @property
    def _has_manifest(self) -> bool:
        return any(_has_bytes(file) for file in self._parts.glob("*.manifest"))

    @property
    def _noted(self) -> Version:
        try:
            return parse_version(self._note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()

    def _oldest_writer(self) -> Version:
        """The oldest server that may have written the data, as far as is known."""
        return max(self._noted, FIRST_WITH_PARTS) if self._has_manifest else self._noted


def _has_bytes(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
