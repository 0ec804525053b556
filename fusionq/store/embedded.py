"""The embedded Redis: a real redis-server on a unix socket in the user's data folder.

Whichever command needs it first starts it, detached and under a lock; all others share it. It writes an
append-only file, so a restart loses at most the last second.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fusionq.errors import StoreUnavailableError
from fusionq.spec.private import make_folder
from fusionq.spec.redis_url import socket_url
from fusionq.store import private_socket
from fusionq.store.data_files import DataFiles
from fusionq.store.private_socket import OwnSocketConnection
from fusionq.store.server_binary import ServerBinary, find_binaries

START_TIMEOUT_S = 30.0  # a large append-only file takes its time to load
REPLY_TIMEOUT_S = 5.0
POLL_S = 0.005
LONGEST_LOG = 1_000_000  # bytes of its log; when there are more, the older half goes
LONGEST_COMPACT_VALUE = 1024  # one longer than this, by default 64, makes a record three times as large


class EmbeddedRedis:
    """The embedded Redis of one `FUSIONQ_HOME`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "redis"
        self.log = self.folder / "redis.log"
        self._files = DataFiles(self.folder)
        self._stopped = self.folder / "stopped"  # a user stopped it: no worker starts it again
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where its socket lies, or will lie."""
        return private_socket.socket_path(self.folder) or self.folder / private_socket.SOCKET_FILE

    @property
    def url(self) -> str:
        return socket_url(self.socket)

    def is_running(self) -> bool:
        """Raises StoreUnavailableError where its folder or socket is another user's."""
        return self._ping() is not None

    def ensure_running(self) -> str:
        """Start the server unless it answers. Returns its URL. Raises StoreUnavailableError."""
        if self._ping() != "ready":
            self._make_folder()
            with self._lock():
                self._stopped.unlink(missing_ok=True)
                if self._ping() is None:
                    self._start()
                else:
                    self._await_ready()
        return self.url

    def restart_if_lost(self) -> bool:
        """Start the server again where it ended and no user stopped it. Returns whether it was started."""
        if not self.folder.is_dir() or self._stopped.exists() or self._ping() is not None:
            return False
        with self._lock():
            if self._stopped.exists() or self._ping() is not None:
                return False
            self._start()
        return True

    def stop(self) -> bool:
        """Shut the server down, everything written. False where none runs."""
        if not self.is_running():
            return False
        self._stopped.touch()
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

    # --- starting ------------------------------------------------------------------------------------

    def _make_folder(self) -> None:
        try:
            make_folder(self.folder)
            if self.folder.lstat().st_uid == os.getuid():
                self.folder.chmod(0o700)
        except OSError as error:
            raise StoreUnavailableError(
                f"cannot make {error.filename}: {error.strerror}",
                hint="set FUSIONQ_HOME to a folder of your own",
            ) from error
        private_socket.check_folder(self.folder)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _start(self) -> None:
        with (self.folder / "server").open("a+") as handle:
            self._wait_for_end_of_last(handle)
            binary = self._files.choose_server(find_binaries())
            is_restoring = self._files.is_snapshot_alone
            self._launch(binary, handle, appendonly="no" if is_restoring else "yes")
            handle.truncate(0)
            handle.write(str(self._process.pid if self._process else ""))
        self._await_ready()
        if is_restoring:
            self._write_append_file()
        self._files.note_writer(binary)

    def _wait_for_end_of_last(self, handle: IO[str]) -> None:
        """Make sure that no other server has the data open; one whose socket was removed is ended first.

        A server holds a lock on this file for as long as it lives. Two on the same data would ruin it.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        is_asked = False
        while not _try_lock(handle):
            handle.seek(0)
            pid = handle.read()
            if not self.socket.exists() and pid.isdecimal() and not is_asked:
                is_asked = True
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)  # it writes everything and ends
            if time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"the embedded Redis (process {pid}) does not answer", hint=f"its log is {self.log}"
                )
            time.sleep(POLL_S)

    def _launch(self, binary: ServerBinary, held: IO[str], *, appendonly: str) -> None:
        options = {
            "port": "0",
            "unixsocket": str(private_socket.make_socket_folder(self.folder)),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": appendonly,
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
                [binary.path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                umask=0o077,
                pass_fds=(held.fileno(),),
            )

    def _write_append_file(self) -> None:
        """Write what was restored from a snapshot into the append-only file, which later starts read."""

        def is_written(client: redis.Redis) -> bool:
            told = client.info("persistence")
            is_busy = told["aof_rewrite_in_progress"] or told.get("aof_rewrite_scheduled")
            return bool(told["aof_enabled"]) and not is_busy and told["aof_last_bgrewrite_status"] == "ok"

        with self._client() as client:
            client.config_set("appendonly", "yes")
            self._await(lambda: is_written(client), "the embedded Redis cannot write what it restored")
        self._files.set_snapshot_aside()

    def _await_ready(self) -> None:
        self._await(lambda: self._ping() == "ready", "the embedded Redis does not start")

    def _await(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not condition():
            has_ended = self._process is not None and self._process.poll() is not None
            if has_ended or time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"{otherwise} ({self._last_words()})", hint=f"its log is {self.log}"
                )
            time.sleep(POLL_S)

    def _last_words(self) -> str:
        """The last line of its log, without pid, time and level."""
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                before, mark, words = lines[-1].partition(" # ")
                return (words if mark else before).rstrip(".")
        return "it says nothing"

    # --- asking --------------------------------------------------------------------------------------

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
        options: dict[str, Any] = {"path": str(self.socket), "socket_timeout": REPLY_TIMEOUT_S}
        retry = Retry(NoBackoff(), 0)
        pool = redis.ConnectionPool(connection_class=OwnSocketConnection, retry=retry, **options)
        client = redis.Redis(connection_pool=pool)
        try:
            yield client
        finally:
            client.close()
            pool.disconnect()


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
