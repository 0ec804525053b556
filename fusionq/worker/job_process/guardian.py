"""The parent of one job process, which ends whatever that leaves behind.

A process whose parent ends is given to the next subreaper above it (Linux). Each job has one of its own, this
one, so that no process of the job can leave it: not by a session of its own, nor by an empty environment, nor
by forking itself anew. When the job process ends, or the fork server does, the guardian kills its children
until it has none. Where the guardian itself is killed, the job process dies with it, and the fork server, to
which all else is given then, kills that.

It is forked before there is a job for it, so that a job starts no later for it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from fusionq.spec.failures import WORKER_LOST
from fusionq.worker import protocol as wire
from fusionq.worker.processes.cleaning import CLEANING_S, cleans_up
from fusionq.worker.processes.parent_death import die_with_parent
from fusionq.worker.processes.tree import send_to

_PR_SET_CHILD_SUBREAPER = 36

KILL_S = 5.0  # what cannot be killed by then is left to the supervisor, which sees it
POLL_S = 0.002


def adopt_orphans() -> None:
    """Become the parent of what lives on when its own parent below this process ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def guard(control: socket.socket) -> NoReturn:
    """Run the job whose channel comes on `control` in a child, and end with all that came of it."""
    code, channel = wire.EXIT_FAILED, None
    try:
        die_with_parent(signal.SIGTERM)  # not before it has killed what it guards
        adopt_orphans()
        channel = _receive_channel(control)
        pid = os.fork()
        if pid == 0:
            control.close()
            from fusionq.worker.job_process.main import run

            run(channel)
        _guard(pid, channel)
        code = wire.EXIT_DONE
    except BaseException as error:
        if channel is not None:
            reason = f"its guardian failed: {type(error).__name__}: {error}"
            _send(channel, {"kind": "error", "class": WORKER_LOST, "reason": reason})
        traceback.print_exc()
    finally:
        os._exit(code)


def kill_children(spare: frozenset[int] = frozenset()) -> bool:
    """SIGKILL every child but these; theirs become ours. Returns whether none is left."""
    begun_at = time.monotonic()
    deadline = begun_at + KILL_S
    while children := [pid for pid in _children() if pid not in spare]:
        others = [pid for pid in children if not cleans_up(pid)]
        if others or time.monotonic() > begun_at + CLEANING_S:
            send_to(others or children, signal.SIGKILL)
        for pid in children:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _receive_channel(control: socket.socket) -> socket.socket:
    request, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    if not request:
        os._exit(0)  # the fork server has ended, or has a fresher one
    return socket.socket(fileno=descriptors[0])


def _guard(pid: int, channel: socket.socket) -> None:
    was_ended = False  # by the end of the fork server, of which the job process is no witness

    def end(*_: Any) -> None:
        nonlocal was_ended
        was_ended = True
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _send(channel, {"pid": pid, "guardian": os.getpid()})
    status = None
    while status is None:  # what the job left, and ended since, is reaped here as well
        ended, status_of_it = os.waitpid(-1, 0)
        status = status_of_it if ended == pid else None
    kill_children()
    if not was_ended:
        _send(channel, {"exit": os.waitstatus_to_exitcode(status)})


def _children() -> list[int]:
    """The living and the dead, as far as they are not reaped."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:  # a kernel without it
        import psutil

        return [child.pid for child in psutil.Process().children()]


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):
        wire.send(channel, message)
