"""Checks that the socket of the embedded Redis, and who answers behind it, are the user's own.

Whoever answers there decides which code the user's workers run, so the folder and the socket are checked
before every connection, and the process at the other end right after it.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

from redis.connection import UnixDomainSocketConnection

from fusionq.errors import StoreUnavailableError

ENV_RUNTIME_DIR = "XDG_RUNTIME_DIR"
SESSION_FOLDERS = Path("/run/user")  # systemd removes those when the last session of their user ends
LINGER_FOLDER = Path("/var/lib/systemd/linger")  # … unless the user is named here

SOCKET_FILE = "redis.sock"
LONGEST_SOCKET_PATH = 100  # the kernel's limit for a unix socket is 107 bytes
OTHERS_MAY = 0o077
_PEER = struct.Struct("3i")  # pid, uid, gid
_USE_ANOTHER = "set FUSIONQ_HOME to a folder of your own, or name a Redis with --redis-url"


class OwnSocketConnection(UnixDomainSocketConnection):
    """A connection to a unix socket that only a process of the same user may answer."""

    def _connect(self) -> socket.socket:
        check_socket(Path(self.path))
        connected = super()._connect()
        try:
            _check_peer(connected, self.path)
        except StoreUnavailableError:
            connected.close()
            raise
        return connected


def check_folder(folder: Path) -> None:
    """Raises StoreUnavailableError unless it is a directory of this user that nobody else can enter."""
    _check_owner(folder, folder.lstat(), stat.S_ISDIR, "a folder")


def check_socket(path: Path) -> None:
    """Raises StoreUnavailableError unless socket and folder belong to this user alone; FileNotFoundError."""
    check_folder(path.parent)
    _check_owner(path, path.lstat(), stat.S_ISSOCK, "a socket")


def socket_path(folder: Path) -> Path | None:
    """Returns where the socket of the data folder lies; None where it is to get a shorter path first."""
    path = folder / SOCKET_FILE
    if _is_short(path):
        return path
    with suppress(FileNotFoundError):
        noted = Path(_record(folder).read_text(encoding="utf-8"))
        if not noted.parent.exists() or _is_own(noted.parent):
            return noted  # else it was removed, and another user took the name
    return None


def make_socket_folder(folder: Path) -> Path:
    """Returns the path for the socket of the data folder, and makes its folder.

    Where the data folder's path is too long for a socket, the folder has a random name, noted in the data
    folder: nobody can know it beforehand, and every process finds the same, whatever its environment.
    """
    path = socket_path(folder)
    if path is None or not _can_use(path.parent):
        base = next(base for base in _base_folders() if _is_short(base / "fusionq-12345678" / SOCKET_FILE))
        path = Path(tempfile.mkdtemp(prefix="fusionq-", dir=base)) / SOCKET_FILE
        _write_record(folder, path)
    return path


def _can_use(folder: Path) -> bool:
    """Whether it is this user's own, or could be made again after somebody cleaned up."""
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    return _is_own(folder)


def _is_own(folder: Path) -> bool:
    try:
        check_folder(folder)
    except (StoreUnavailableError, OSError):
        return False
    return True


def _base_folders() -> list[Path]:
    runtime = os.environ.get(ENV_RUNTIME_DIR, "")
    temporary = [Path(tempfile.gettempdir()), Path("/tmp")]
    return [Path(runtime), *temporary] if runtime and _outlives_session(Path(runtime)) else temporary


def _outlives_session(runtime: Path) -> bool:
    """Whether the user's runtime directory is fit for a server that runs on when nobody is logged in."""
    if not _is_own(runtime):
        return False
    return runtime.parent != SESSION_FOLDERS or (LINGER_FOLDER / _name_of(os.getuid())).exists()


def _is_short(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


def _record(folder: Path) -> Path:
    return folder / "socket-path"


def _write_record(folder: Path, path: Path) -> None:
    draft = _record(folder).with_suffix(".new")
    draft.write_text(str(path), encoding="utf-8")
    draft.replace(_record(folder))


def _check_owner(path: Path, status: os.stat_result, is_kind: object, kind: str) -> None:
    assert callable(is_kind)
    if status.st_uid != os.getuid():
        raise StoreUnavailableError(
            f"{path} belongs to another user ({_name_of(status.st_uid)})", hint=_USE_ANOTHER
        )
    if not is_kind(status.st_mode):
        raise StoreUnavailableError(f"{path} is not {kind}", hint=_USE_ANOTHER)
    if stat.S_IMODE(status.st_mode) & OTHERS_MAY:
        raise StoreUnavailableError(f"{path} is open to other users", hint=f"close it: chmod 700 {path}")


def _check_peer(connected: socket.socket, path: str) -> None:
    if not hasattr(socket, "SO_PEERCRED"):  # Linux has it
        return
    answer = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(answer)
    if uid != os.getuid():
        raise StoreUnavailableError(
            f"process {pid} of another user ({_name_of(uid)}) answers at {path}", hint=_USE_ANOTHER
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
