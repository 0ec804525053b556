"""The worker's side of one fork server: starts it, waits until it is warm, and ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from fusionq.errors import WorkerError
from fusionq.worker import protocol as wire
from fusionq.worker.inherited_environment import inherited
from fusionq.worker.processes.tags import room
from fusionq.worker.stderr_log import STDERR, write_if_possible

READY_TIMEOUT_S = 120.0
END_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 10.0
POLL_S = 0.1

# OpenBLAS makes a thread per core at import, and a process with threads forks badly. The NVML-based
# check lets `torch.cuda.is_available()` answer without initialising the driver.
_ENVIRON = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


class ForkServerError(WorkerError):
    """The fork server does not answer, so a job that it was to start is lost."""


class NotStartedError(WorkerError):
    """The job was not started, because it is to stop."""


class ForkServer:
    """One fork server. One that is replaced stays as long as jobs that it forked run: they die with it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(SEND_TIMEOUT_S)
        self._lock = threading.Lock()
        self._num_jobs = 0
        self._is_retired = False
        self._is_ready = False
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fusionq.worker.job_process.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**inherited(os.environ), **_ENVIRON, **room()},
                start_new_session=True,  # a Ctrl-C at the worker's terminal is not for the jobs
            )
        # It would stand still, or fail, where nobody reads what the worker says.
        self._output = threading.Thread(target=self._pass_on_output, name="fork server", daemon=True)
        self._output.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def await_ready(self, give_up: Callable[[], bool]) -> None:
        """Wait until it is warm. Raises WorkerError, and NotStartedError where nobody waits any more."""
        receiver = wire.Receiver(self._control)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._is_ready:
            if give_up():
                raise NotStartedError("the fork server is not awaited any more")
            for message in receiver.receive(POLL_S):
                if "ready" not in message:
                    raise WorkerError(
                        f"job processes cannot be prepared: {message['error']}",
                        hint="a worker needs torch: pip install 'fusionq[worker]'",
                    )
                self._is_ready = True
                return
            if receiver.is_closed or time.monotonic() > deadline:
                self._output.join(timeout=1.0 if receiver.is_closed else 0.0)
                raise ForkServerError("the fork server did not come up", hint="its errors stand above")

    def request(self, channel: socket.socket) -> None:
        """Ask for a process that talks on this channel. Raises OSError."""
        socket.send_fds(self._control, [wire.REQUEST], [channel.fileno()])

    def add_job(self) -> None:
        with self._lock:
            self._num_jobs += 1

    def remove_job(self) -> None:
        with self._lock:
            self._num_jobs -= 1
            is_done = self._is_retired and self._num_jobs == 0
        if is_done:
            self.end(0.0)

    def retire(self) -> None:
        """Ask it for nothing more; it ends once no job of it runs."""
        with self._lock:
            self._is_retired = True
            is_done = self._num_jobs == 0
        if is_done:
            self.end(0.0)

    def end(self, timeout_s: float = END_TIMEOUT_S) -> None:
        """End it, and with it whatever it still runs: by itself within the time limit, else killed."""
        self._control.close()
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _pass_on_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                write_if_possible(STDERR, line)
