"""Finding and ending every process of a job, by its session."""

from __future__ import annotations

import os
import signal
import time

import psutil

POLL_S = 0.01


def session_members(session: int) -> list[int]:
    """Living processes of a session, the leader among them. Zombies are dead."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return members


def kill_session(session: int, timeout_s: float = 5.0) -> list[int]:
    """SIGKILL every process of a session until none is left. Returns those that survived the time limit.

    A process may fork between the look and the kill, so we look again until there is nothing to see.
    """
    if session <= 1:
        return []
    deadline = time.monotonic() + timeout_s
    while members := session_members(session):
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if time.monotonic() > deadline:
            return members
        time.sleep(POLL_S)
    return []
