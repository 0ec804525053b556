"""The worker's side of the fork server: starts it, asks it for job processes, talks to them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from fusionq.errors import WorkerError
from fusionq.worker import protocol as wire
from fusionq.worker.inherited_environment import inherited
from fusionq.worker.lease_guard import UNTIL, Leash
from fusionq.worker.processes.tags import room
from fusionq.worker.processes.tree import family, kill_family

READY_TIMEOUT_S = 120.0

# OpenBLAS makes a thread per core at import, and a process with threads forks badly. The NVML-based
# check lets `torch.cuda.is_available()` answer without initialising the driver.
_ENVIRON = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


class JobProcess:
    """A job process as its supervisor sees it."""

    def __init__(
        self, channel: socket.socket, server: subprocess.Popen[bytes], orders: Mapping[str, Any]
    ) -> None:
        self._channel = channel
        self._leash = Leash(channel, orders[UNTIL])
        self._marks = orders["marks"]
        self._server = server
        self._receiver = wire.Receiver(channel)
        self._early: list[dict[str, Any]] = []
        self.pid = 0
        self.exit_code: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the process ended, or its fork server did, and it with it."""
        # The channel may outlive both: whatever the job forked has it too.
        is_alone = self._receiver.is_closed or self._server.poll() is not None
        return self.exit_code is not None or is_alone

    def await_pid(self, timeout_s: float) -> None:
        """Wait until the process is there, or over already. A quick job may have spoken before."""
        while not self.pid and not self.is_over:
            self._early += self._read(timeout_s)

    def receive(self, timeout_s: float) -> list[dict[str, Any]]:
        """What the job says meanwhile."""
        said, self._early = self._early, []
        return said or self._read(timeout_s)

    def _read(self, timeout_s: float) -> list[dict[str, Any]]:
        said = []
        for message in self._receiver.receive(timeout_s):
            if "pid" in message:
                self.pid = message["pid"]
            elif "exit" in message:
                self.exit_code = message["exit"]
            else:
                said.append(wire.cleaned(message))
        return said

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
        kill_family(self.pid, self._marks)

    def survivors(self) -> list[int]:
        """Processes of the job that still live."""
        return family(self.pid, self._marks)

    def close(self) -> None:
        self._channel.close()


class Launcher:
    """The warm fork server of this worker, started again where it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    def begin(self) -> None:
        """Start the fork server, which warms up while we do other things."""
        with self._lock:
            self._ensure_started()

    def await_ready(self) -> None:
        """Wait until the fork server is warm. Raises WorkerError."""
        with self._lock:
            self._ensure_running()

    def spawn(self, orders: dict[str, Any]) -> JobProcess:
        """A fresh job process with its orders. Raises WorkerError."""
        with self._lock:
            self._ensure_running()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._control, [wire.REQUEST], [theirs.fileno()])
                except OSError:  # it died since we looked
                    self._discard()
                    self._ensure_running()
                    socket.send_fds(self._control, [wire.REQUEST], [theirs.fileno()])
            process = JobProcess(ours, self._server, orders)
        try:
            wire.send(ours, orders)
            process.await_pid(READY_TIMEOUT_S)
        except OSError:
            pass  # it is over before it began; the supervisor finds that out
        return process

    def stop(self) -> None:
        """End the fork server, and with it whatever it still runs."""
        with self._lock:
            self._discard()

    def _ensure_running(self) -> None:
        self._ensure_started()
        if not self._is_ready:
            self._await_ready()
            self._is_ready = True

    def _ensure_started(self) -> None:
        if self._server is not None and self._server.poll() is None:
            return
        self._discard()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-P", "-m", "fusionq.worker.job_process.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**inherited(os.environ), **_ENVIRON, **room()},
                start_new_session=True,  # a Ctrl-C at the worker's terminal is not for the jobs
            )

    def _await_ready(self) -> None:
        receiver = wire.Receiver(self._control)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not receiver.is_closed and time.monotonic() < deadline:
            for message in receiver.receive(deadline - time.monotonic()):
                if "ready" in message:
                    return
                self._discard()
                raise WorkerError(
                    f"job processes cannot be prepared: {message['error']}",
                    hint="a worker needs torch: pip install 'fusionq[worker]'",
                )
        self._discard()
        raise WorkerError("the fork server did not come up", hint="its errors stand above")

    def _discard(self) -> None:
        self._is_ready = False
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            try:
                self._server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
