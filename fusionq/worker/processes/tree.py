"""Finding and ending every process of a job.

A process belongs to a job by its session; by the job's marks in its environment, which what left the session
still carries (see `fusionq.worker.processes.tags`); or because its parent does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping

import psutil

from fusionq.worker.processes.cleaning import CLEANING_S, cleans_up
from fusionq.worker.processes.identity import has_ended, mark_of_this_life

POLL_S = 0.01
ENV_JOB = "FUSIONQ_JOB"
ENV_ATTEMPT = "FUSIONQ_ATTEMPT"
ENV_SUPERVISOR = "FUSIONQ_SUPERVISOR"  # which worker, in which life of it, started a process

_GONE = (ProcessLookupError, PermissionError, psutil.Error)


def marks_of(job_id: str, attempt: int) -> dict[str, str]:
    """Returns what the processes of an attempt on this worker wear in their environment."""
    return {ENV_JOB: job_id, ENV_ATTEMPT: str(attempt), ENV_SUPERVISOR: mark_of_this_life()}


def family(session: int, marks: Mapping[str, str], guardian: psutil.Process | None = None) -> list[int]:
    """Living processes of a session, or with all these `marks`, and what they started. Zombies are dead.

    What comes from their guardian is theirs as well, while that lives; it is none of them itself.
    """
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
    if guardian is not None and guardian.is_running():
        heirs.append(guardian.pid)
    while heirs:
        for child in children.get(heirs.pop(), ()):
            if child not in members:
                members.add(child)
                heirs.append(child)
    return sorted(members)


def kill_family(
    session: int,
    marks: Mapping[str, str],
    timeout_s: float = 5.0,
    guardian: psutil.Process | None = None,
) -> list[int]:
    """SIGKILL every process of a job until none is left. Returns those that survived the time limit.

    A process may fork between the look and the kill, so we look again until there is nothing to see. One that
    is being taken down has lost its marks, not yet its memory, so those that we killed are waited for.
    """
    if session <= 1:
        return []
    begun_at = time.monotonic()
    deadline = begun_at + timeout_s
    dying: set[psutil.Process] = set()
    while members := {*_processes(family(session, marks, guardian)), *filter(_is_living, dying)}:
        living = members - dying
        # What cleans up after the others, such as shared memory, ends by itself when these are gone.
        cleaning = {process for process in living if cleans_up(process.pid)}
        is_late = living == cleaning and time.monotonic() > begun_at + CLEANING_S
        chosen = living if is_late else living - cleaning
        send_to((process.pid for process in chosen), signal.SIGKILL)
        dying |= chosen
        if time.monotonic() > deadline:
            return sorted(process.pid for process in members)
        time.sleep(POLL_S)
    return []


def descendants(pid: int) -> list[int]:
    """Returns the living processes that come from this one, without itself."""
    try:
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def send_to(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each of them that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def kill_orphans() -> list[int]:
    """SIGKILL what jobs of dead workers left on this machine. Returns which processes those were."""
    found = []
    for process in _living():
        try:
            supervisor = process.environ().get(ENV_SUPERVISOR, "")
            if supervisor and has_ended(supervisor) and not cleans_up(process.pid):
                found.append(process.pid)
        except _GONE:
            continue
    send_to(found, signal.SIGKILL)
    return found


def _processes(pids: Iterable[int]) -> Iterator[psutil.Process]:
    return filter(None, map(process_of, pids))


def process_of(pid: int) -> psutil.Process | None:
    """Returns the process that has this number now, if any."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _is_living(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _living() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            with process.oneshot():  # what is asked of it reads its files once
                if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
        except psutil.Error:
            continue


def _carries(process: psutil.Process, marks: Mapping[str, str]) -> bool:
    return marks.items() <= process.environ().items()
