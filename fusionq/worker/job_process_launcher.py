"""The worker's side of job processes: asks the fork server for them, and talks to them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from fusionq.errors import WorkerError
from fusionq.worker import protocol as wire
from fusionq.worker.fork_server_handle import (
    POLL_S,
    SEND_TIMEOUT_S,
    ForkServer,
    ForkServerError,
    NotStartedError,
)
from fusionq.worker.lease_guard import UNTIL, Leash
from fusionq.worker.processes.tree import family, kill_family, process_of
from fusionq.worker.processes.zombie import exit_code_of_zombie

log = logging.getLogger("fusionq.worker")

ANSWER_TIMEOUT_S = 60.0  # how long the fork server may take for a process, on a host that swaps
LOOK_FOR_ZOMBIE_S = 1.0


def _never() -> bool:
    return False


class JobProcess:
    """A job process as its supervisor sees it."""

    def __init__(self, channel: socket.socket, server: ForkServer, orders: Mapping[str, Any]) -> None:
        channel.settimeout(SEND_TIMEOUT_S)  # the process may stand still
        self._channel = channel
        self._leash = Leash(channel, orders[UNTIL])
        self._marks = orders["marks"]
        self._server = server
        server.add_job()
        self._receiver = wire.Receiver(channel)
        self._early: list[dict[str, Any]] = []
        self._guardian: psutil.Process | None = None
        self.pid = 0
        self.exit_code: int | None = None
        self._look_at = 0.0
        self._was_zombie = False
        self._is_closed = False

    @property
    def is_over(self) -> bool:
        """Whether the process ended, or its fork server did, and it with it."""
        # The channel may outlive both: whatever the job forked has it too.
        is_alone = self._receiver.is_closed or not self._server.is_alive
        if self.exit_code is None and not is_alone:
            self._look_for_zombie()
        return self.exit_code is not None or is_alone

    def _look_for_zombie(self) -> None:
        """A fork server that stands still reports no end. Seen twice, it had its time to do so."""
        if not self.pid or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_FOR_ZOMBIE_S
        code = exit_code_of_zombie(self.pid)
        if code is not None and self._was_zombie:
            self.exit_code = code
        self._was_zombie = code is not None

    def begin(self, orders: Mapping[str, Any], give_up: Callable[[], bool]) -> None:
        """Wait until the process is there, and give it its orders. Raises WorkerError.

        Not before: a fork server that stood still may fork long after everybody gave the job up, and a
        process that finds its channel closed and no orders on it ends.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not self.pid and not self.is_over:
            if give_up():
                raise NotStartedError("it was to stop before it began")
            if time.monotonic() > deadline:
                raise ForkServerError("the fork server does not answer")
            self._early += self._read(POLL_S)
        try:
            wire.send(self._channel, dict(orders))
        except TimeoutError:
            self.kill_tree()
            raise ForkServerError("the new process does not take its orders") from None
        except OSError:
            pass  # it is over before it began; the supervisor finds that out

    def receive(self, timeout_s: float) -> list[dict[str, Any]]:
        """What the job says meanwhile."""
        said, self._early = self._early, []
        return said or self._read(timeout_s)

    def last_words(self) -> list[dict[str, Any]]:
        """Returns what it said and nobody has heard. To be asked once all of it is killed."""
        said, self._early = self._early, []
        return said + self._sort(self._receiver.drain())

    def _read(self, timeout_s: float) -> list[dict[str, Any]]:
        return self._sort(self._receiver.receive(timeout_s))

    def _sort(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Note what its guardian tells. Returns what the job says."""
        said = []
        for message in messages:
            if "pid" in message:
                self.pid = message["pid"]
                self._guardian = process_of(message.get("guardian", 0))
            elif "exit" in message:
                self.exit_code = message["exit"]
            else:
                said.append(wire.cleaned(message))
        return said

    @property
    def server(self) -> ForkServer:
        """Who forked it."""
        return self._server

    def lengthen_leash(self, until: float) -> None:
        """Its lease is sure to hold up to this moment."""
        self._leash.lengthen(until, self.pid)

    def ask_to_stop(self) -> None:
        """SIGTERM to the leader alone: its data-loading processes must live until the state is saved."""
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    def kill_tree(self) -> None:
        """SIGKILL to the leader (it may be too young to have a session) and to all that it started."""
        if self.exit_code is None and self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        kill_family(self.pid, self._marks, guardian=self._guardian)

    def survivors(self) -> list[int]:
        """Processes of the job that still live."""
        return family(self.pid, self._marks, self._guardian)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._channel.close()
            self._server.remove_job()


class Launcher:
    """The warm fork server of this worker, started again where it died or stands still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ForkServer | None = None
        self._retired: list[ForkServer] = []
        self._is_ending = False

    def begin(self) -> None:
        """Start the fork server, which warms up while we do other things."""
        with self._locked(_never):
            self._running_server()

    def await_ready(self, give_up: Callable[[], bool] = _never) -> None:
        """Wait until the fork server is warm, or nobody waits any more. Raises WorkerError."""
        with suppress(NotStartedError), self._locked(give_up):
            self._warm_server(give_up)

    def spawn(self, orders: Mapping[str, Any], give_up: Callable[[], bool] = _never) -> JobProcess:
        """A fresh job process with its orders. Raises WorkerError.

        `give_up` is asked while it waits; NotStartedError where it says so.
        """
        process = self._request(orders, give_up)
        try:
            process.begin(orders, give_up)
        except ForkServerError as error:
            process.close()
            log.error("%s; it is replaced", error)
            self._replace(process.server)
            raise
        except BaseException:
            process.close()
            raise
        return process

    def stop(self) -> None:
        """End the fork server, and with it whatever it still runs."""
        self._is_ending = True  # whoever waits for it now gives up
        with self._lock:
            for server in (self._server, *self._retired):
                if server is not None:
                    server.end()
            self._server, self._retired, self._is_ending = None, [], False

    def _request(self, orders: Mapping[str, Any], give_up: Callable[[], bool]) -> JobProcess:
        with self._locked(give_up):
            server = self._warm_server(give_up)
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    server.request(theirs)
                except TimeoutError:
                    self._retire(server)
                    raise ForkServerError("the fork server takes no more requests") from None
                except OSError:  # it died since we looked
                    server.end()
                    server = self._warm_server(give_up)
                    server.request(theirs)
            return JobProcess(ours, server, orders)

    @contextmanager
    def _locked(self, give_up: Callable[[], bool]) -> Iterator[None]:
        while not self._lock.acquire(timeout=POLL_S):
            if give_up() or self._is_ending:
                raise NotStartedError("it was to stop before it began")
        try:
            yield
        finally:
            self._lock.release()

    def _warm_server(self, give_up: Callable[[], bool]) -> ForkServer:
        server = self._running_server()
        try:
            server.await_ready(lambda: give_up() or self._is_ending)
        except NotStartedError:
            raise  # it goes on warming up
        except WorkerError:
            self._server = None
            server.end(0.0)
            raise
        return server

    def _running_server(self) -> ForkServer:
        if self._server is not None and not self._server.is_alive:
            self._server.end()
            self._server = None
        if self._server is None:
            self._server = ForkServer()
        return self._server

    def _replace(self, server: ForkServer) -> None:
        with self._lock:
            self._retire(server)

    def _retire(self, server: ForkServer) -> None:
        """Ask it for nothing more. Jobs of it go on; how they end is seen without it, too."""
        if self._server is server:
            self._server = None
            self._retired.append(server)
        server.retire()
        self._retired = [each for each in self._retired if each.is_alive]
