"""Finding and ending every process of a job.

A process belongs to a job by its session; by the job's marks in its environment, which a program that left
the session still carries; or because its parent does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

POLL_S = 0.01
ENV_SUPERVISOR = "FUSIONQ_SUPERVISOR"  # which worker, in which life of it, started a process

_GONE = (ProcessLookupError, PermissionError, psutil.Error)


def family(session: int, marks: Mapping[str, str]) -> list[int]:
    """Living processes of a session, or with all these `marks`, and what they started. Zombies are dead."""
    members: set[int] = set()
    children: dict[int, list[int]] = {}
    for process in _living():
        try:
            children.setdefault(process.ppid(), []).append(process.pid)
            if os.getsid(process.pid) == session or (marks and _carries(process, marks)):
                members.add(process.pid)
        except _GONE:
            continue
    heirs = list(members)
    while heirs:
        for child in children.get(heirs.pop(), ()):
            if child not in members:
                members.add(child)
                heirs.append(child)
    return sorted(members)


def kill_family(session: int, marks: Mapping[str, str], timeout_s: float = 5.0) -> list[int]:
    """SIGKILL every process of a job until none is left. Returns those that survived the time limit.

    A process may fork between the look and the kill, so we look again until there is nothing to see.
    """
    if session <= 1:
        return []
    deadline = time.monotonic() + timeout_s
    while members := family(session, marks):
        for pid in members:
            _kill(pid)
        if time.monotonic() > deadline:
            return members
        time.sleep(POLL_S)
    return []


def this_life() -> str:
    """Names this process in this life of it; another that gets its number is told apart."""
    return f"{os.getpid()}:{psutil.Process().create_time():.1f}"


def this_machine() -> str:
    """Names where process numbers mean the same: a machine since it started, or a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # no two of these are the same


def is_known_dead(machine: str, life: str) -> bool:
    """Whether a process of this machine, named by its life, is gone. Of other machines nobody knows here."""
    return machine != "" and machine == this_machine() and not _lives(life)


def kill_orphans() -> list[int]:
    """SIGKILL what jobs of dead workers left on this machine. Returns which processes those were."""
    found = []
    for process in _living():
        try:
            supervisor = process.environ().get(ENV_SUPERVISOR, "")
            if supervisor and not _lives(supervisor):
                found.append(process.pid)
        except _GONE:
            continue
    for pid in found:
        _kill(pid)
    return found


def _lives(life: str) -> bool:
    pid, _, begun = life.partition(":")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(begun)) < 1
    except (ValueError, psutil.NoSuchProcess):
        return False


def _living() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _carries(process: psutil.Process, marks: Mapping[str, str]) -> bool:
    return marks.items() <= process.environ().items()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
