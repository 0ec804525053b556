"""The fork server: a process that has imported torch and hands out copies of itself, ready to train.

It imports and never computes: a fork of a process whose torch ran a parallel operation hangs. It never
touches CUDA: a driver that was initialised before a fork is unusable after it.

It is our own and not multiprocessing's: there, children inherit the write end of the pipe whose end is
to stop the server, so it outlives a killed worker as long as a job runs; a child imports the worker's main
module; and a child's exit is reported as 255 when the server dies first.

Started as `python -P -m fusionq.worker.job_process.fork_server FD`. On the socket FD it is sent one byte and
one descriptor for each job; the descriptor is the job's own channel, on which the child finds its orders and
the server reports `{"exit": code}`. It ends when the socket closes, and its children end with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from fusionq.worker import protocol as wire
from fusionq.worker.job_process.process_exit import note_what_is_there

NEEDED = (
    "torch",
    "torch._dynamo",  # the first optimizer of a process imports it: a second
    "torchvision.transforms.v2",
    "fusionq.worker.job_process.main",
)
# Imported once the server is ready and has nothing else to do.
LATER = ("matplotlib.figure", "matplotlib.backends.backend_agg", "sklearn.datasets")


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
    channels: dict[int, socket.socket] = {}
    wake_r, wake_w = os.pipe()
    os.set_blocking(wake_w, False)
    signal.set_wakeup_fd(wake_w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake_r, select.POLLIN)
    later = list(LATER)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(0 if later else None)}
        if not ready:
            _preload_later(later.pop(0))
            gc.collect()
            note_what_is_there()  # what is imported is never collected, so its pages stay shared
        if wake_r in ready:
            os.read(wake_r, 4096)
            _report_exits(channels)
        if control.fileno() in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not request:
                return
            channel = socket.socket(fileno=descriptors[0])
            pid = os.fork()
            if pid == 0:
                inherited = [control, *channels.values()]
                _become_job(channel, inherited, (wake_r, wake_w))
            channels[pid] = channel
            _try_send(channel, {"pid": pid})


def _become_job(channel: socket.socket, inherited: list[socket.socket], pipes: tuple[int, int]) -> NoReturn:
    """In the child: let go of everything that is the server's, then run the job."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for other in inherited:
        other.close()
    for pipe in pipes:
        os.close(pipe)
    from fusionq.worker.job_process.main import run

    run(channel)


def _report_exits(channels: dict[int, socket.socket]) -> None:
    while channels:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        channel = channels.pop(pid)
        _try_send(channel, {"exit": os.waitstatus_to_exitcode(status)})
        channel.close()


def _try_send(channel: socket.socket, message: dict[str, Any]) -> None:
    try:
        wire.send(channel, message)
    except OSError:
        pass  # nobody asks any more


if __name__ == "__main__":
    main()
