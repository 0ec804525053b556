"""How long a job process may train without hearing of its lease again.

A worker can stop without dying: by SIGSTOP, in a debugger, on a host that swaps or sleeps, or cut off from
Redis. Its lease runs out then, and another worker takes its jobs, while its own job processes, which know
nothing of it, would train on: two at once. So a job process is on a leash: its supervisor tells it a moment
up to which the lease certainly holds, and at that moment the process stops itself (SIGSTOP for all that is
the job's; nothing is lost by it). When the lease is renewed, the supervisor tells the next moment and lets it
go on; when it was lost, it kills.

Moments are read from a clock that every process of a machine shares and that goes on while the machine
sleeps.

Where Redis is down for everybody, nobody can take a job, and the leash is lengthened without a renewal (see
`StoreUnavailableError.is_for_all`): whoever reaps waits for longer than a lease after Redis is back. A
Redis on another machine that does not answer may answer others, which nobody can tell from here: then the
jobs stand still from the end of their lease until it answers us again.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from fusionq.worker import protocol as wire
from fusionq.worker.processes.proc_stat import STATE, stat_of
from fusionq.worker.processes.tree import descendants, send_to

UNTIL = "until"
WAKES_FOR_S = 2.0  # after its lease was renewed; later it is somebody else who keeps a job still
MOST_LOOKS = 20  # for processes that fork faster than they are stopped
HOLD_S = 0.005  # a job that was woken looks so often whether it may go on
LOOK_S = 1.0  # a wait does not count the time for which the machine sleeps, so none lasts longer than this
MARGIN_S = 0.5  # a job that stops itself does so before anybody else may start it

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on the clock that all processes of this machine share."""
    return time.clock_gettime(_CLOCK)


def moment_after(begun_at: float, lease_s: float) -> float:
    """Up to when a lease that was asked for at `begun_at` is sure to hold."""
    return begun_at + lease_s - min(MARGIN_S, lease_s / 5)


class Leash:
    """The supervisor's end."""

    def __init__(self, channel: socket.socket, until: float) -> None:
        self._channel = channel
        self._until = until
        self._wakes_until = 0.0

    def lengthen(self, until: float, pid: int) -> None:
        """Let the job train up to this moment, and wake it where it stands still."""
        try:
            if until > self._until:
                self._until = until
                # It may have made up its mind to stand still just before it hears this, and do so after it.
                self._wakes_until = now() + WAKES_FOR_S
                wire.send(self._channel, {UNTIL: until})
            # To it alone: a signal interrupts what waits in C code.
            if now() < self._wakes_until and stands_still(pid):
                os.killpg(pid, signal.SIGCONT)
        except OSError:
            pass  # it is over; the supervisor finds that out


def stands_still(pid: int) -> bool:
    """Returns whether a process was stopped; True where nobody can say."""
    try:
        return stat_of(pid)[STATE] == "T"
    except OSError:
        return not Path("/proc/self/stat").exists()


def _stop_outside_group() -> set[int]:
    """Stop what this job has started and is in another process group. It may fork while we look."""
    stopped: set[int] = set()
    own_group = os.getpgid(0)
    for _ in range(MOST_LOOKS):
        found = {pid for pid in descendants(os.getppid()) if _group_of(pid) not in (own_group, None)}
        if found <= stopped:
            break
        send_to(found - stopped, signal.SIGSTOP)
        stopped |= found
    return stopped


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def obey(receiver: wire.Receiver, until: float) -> None:
    """The job's end: its processes stop at the end of the leash, and are killed when the supervisor is gone.

    In a thread of its own, which hears first what came while the process stood still. Whoever woke the
    process, its main thread (the one that must call this) goes on only once the leash holds again.
    """
    end = memoryview(mmap.mmap(-1, 8)).cast("d")  # what the job forks must see it, too
    end[0] = until

    def watch() -> None:
        stopped: set[int] = set()  # what has a process group of its own, which nobody else wakes
        while not receiver.is_closed:
            heard: list[dict[str, Any]] = receiver.receive(min(LOOK_S, max(0.0, end[0] - now())))
            end[0] = max([end[0], *(message[UNTIL] for message in heard if UNTIL in message)])
            if now() >= end[0] and not heard and not receiver.is_closed:
                stopped |= _stop_outside_group()
                os.killpg(0, signal.SIGSTOP)
            elif stopped and now() < end[0]:
                send_to(stopped, signal.SIGCONT)
                stopped.clear()
        # Without a supervisor there is no lease: nobody may go on training.
        os.killpg(0, signal.SIGKILL)

    def hold(*_: Any) -> None:
        while now() >= end[0]:
            time.sleep(HOLD_S)

    signal.signal(signal.SIGCONT, hold)
    signal.siginterrupt(signal.SIGCONT, False)  # what it interrupts in C code begins again
    threading.Thread(target=watch, name="leash", daemon=True).start()
    hold()  # a process that was forked late may begin with a lease that is over
