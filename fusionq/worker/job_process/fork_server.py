"""The fork server: a process that has imported torch and hands out copies of itself, ready to train.

It imports and never computes: a fork of a process whose torch ran a parallel operation hangs. It never
touches CUDA: a driver that was initialised before a fork is unusable after it.

It is our own and not multiprocessing's: there, children inherit the write end of the pipe whose end is
to stop the server, so it outlives a killed worker as long as a job runs; a child imports the worker's main
module; and a child's exit is reported as 255 when the server dies first.

Started as `python -P -m fusionq.worker.job_process.fork_server FD`. On the socket FD it is sent one byte and
one descriptor for each job; the descriptor is the job's own channel, on which the job process finds its
orders and its parent, a guardian, reports `{"pid": …}` and `{"exit": code}`. It ends when the socket closes,
and its jobs end with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from fusionq.worker import protocol as wire
from fusionq.worker.job_process.guardian import adopt_orphans, guard, kill_children
from fusionq.worker.job_process.process_exit import note_what_is_there

NEEDED = (
    "torch",
    "torch._dynamo",  # the first optimizer of a process imports it: a second
    "torchvision.transforms.v2",
    "fusionq.worker.job_process.main",
)
# Imported once the server is ready and has nothing else to do.
LATER = ("matplotlib.figure", "matplotlib.backends.backend_agg", "sklearn.datasets")


SPARE_AFTER_MS = 50  # so as not to compete with the start of a job
END_S = 3.0  # for the guardians to end their jobs when the worker has ended
POLL_S = 0.005


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The worker decides when we end. Blocked and not ignored: a job that is asked to stop at its first
    # breath must find the signal when it is ready for it (see `fusionq.worker.job_process.main`).
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        _preload()
        _refuse_cuda()
    except Exception as error:
        wire.send(control, {"error": f"{type(error).__name__}: {error}"})
        return
    try:
        wire.send(control, {"ready": os.getpid()})
    except BrokenPipeError:
        return  # the worker has left meanwhile
    _serve(control)
    os._exit(0)  # nothing here is worth tearing down, and some of it complains


def _preload() -> None:
    for module in NEEDED:
        importlib.import_module(module)
    note_what_is_there()


def _preload_later(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception:  # a job that needs it says what is wrong with it
        pass


def _refuse_cuda() -> None:
    import torch

    if torch.cuda.is_initialized():
        raise RuntimeError("a preloaded module initialised CUDA; no job could use a GPU after a fork")


def _serve(control: socket.socket) -> None:
    adopt_orphans()
    wake_r, wake_w = os.pipe()
    os.set_blocking(wake_w, False)
    signal.set_wakeup_fd(wake_w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake_r, select.POLLIN)
    guardians = _Guardians(control, (wake_r, wake_w))
    later = list(LATER)
    while True:
        wait_ms = 0 if later else None if guardians.has_spare else SPARE_AFTER_MS
        ready = {descriptor for descriptor, _ in poll.poll(wait_ms)}
        if not ready and later:
            _preload_later(later.pop(0))
            gc.collect()
            note_what_is_there()  # what is imported is never collected, so its pages stay shared
        elif not ready:
            guardians.fork_spare()
        if wake_r in ready:
            os.read(wake_r, 4096)
            guardians.reap()
        if control.fileno() in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not request:
                guardians.end()
                return
            guardians.start_job(socket.socket(fileno=descriptors[0]))


class _Guardians:
    """One for each job that runs, and one that waits for the next."""

    def __init__(self, requests: socket.socket, pipes: tuple[int, int]) -> None:
        self._requests = requests  # these are the server's alone
        self._pipes = pipes
        self._channels: dict[int, socket.socket] = {}
        self._spare = 0
        self._control: socket.socket | None = None
        self._has_orphans = False

    @property
    def has_spare(self) -> bool:
        return self._spare != 0

    def fork_spare(self) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self._become_guardian(theirs, ours)
        theirs.close()
        self._spare, self._control = pid, ours

    def start_job(self, channel: socket.socket) -> None:
        """Give the job to a guardian, which tells its process on the channel, and how it ends."""
        while True:
            if not self.has_spare:
                self.fork_spare()
            pid, control = self._spare, self._control
            self._spare, self._control = 0, None
            try:
                socket.send_fds(control, [wire.REQUEST], [channel.fileno()])
                break
            except OSError:  # somebody killed it meanwhile
                continue
            finally:
                control.close()
        self._channels[pid] = channel

    def reap(self) -> None:
        """Tell how a job ended whose guardian did not, and end what it left: it was given to this process."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._spare:
                self._control.close()
                self._spare, self._control = 0, None
            if channel := self._channels.pop(pid, None):
                if status != 0:
                    self._has_orphans = True
                    _try_send(channel, {"exit": os.waitstatus_to_exitcode(status)})
                channel.close()
        if self._has_orphans:
            # Guardians that live keep what is theirs, so that all else is of a job that is over.
            self._has_orphans = not kill_children(frozenset({*self._channels, self._spare}))

    def end(self) -> None:
        """Let each guardian end its job, and wait for that."""
        for pid in self._channels:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_S
        while self._channels and time.monotonic() < deadline:
            self.reap()
            time.sleep(POLL_S)

    def _become_guardian(self, control: socket.socket, other_end: socket.socket) -> NoReturn:
        """In the child: let go of everything that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (self._requests, other_end, *self._channels.values()):
            other.close()
        for pipe in self._pipes:
            os.close(pipe)
        guard(control)


def _try_send(channel: socket.socket, message: dict[str, Any]) -> None:
    try:
        wire.send(channel, message)
    except OSError:
        pass  # nobody asks any more


if __name__ == "__main__":
    main()
