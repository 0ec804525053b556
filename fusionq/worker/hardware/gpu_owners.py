"""Whose a process on a GPU is, told by the marks that the processes of our jobs wear."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psutil

from fusionq.worker.processes.identity import has_ended, mark_of_this_life
from fusionq.worker.processes.tree import ENV_JOB, ENV_SUPERVISOR

OURS = "ours"  # of a job that runs here
LEFTOVER = "leftover"  # of a job that is over
DYING = "dying"  # it ends, and may have given nothing back yet
FOREIGN = "foreign"  # somebody else's
UNSEEN = "unseen"  # of a number that means nothing here, as when a container looks at its machine's GPUs


@dataclass(frozen=True)
class Owner:
    kind: str
    words: str


def owner_of(pid: int, holders: Collection[str], running: Collection[str] = ()) -> Owner:
    """Whose it is. `holders` are the ids of the jobs that have its GPU, `running` of all that run here."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            named = f"process {pid} ({process.name()}, {process.username()})"
            if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                return Owner(DYING, f"{named}, which is ending,")
    except psutil.NoSuchProcess:
        return Owner(UNSEEN, f"process {pid}, which cannot be seen from here,")
    except psutil.Error:
        return Owner(FOREIGN, f"process {pid}")
    try:
        environ = process.environ()
    except psutil.Error:
        return Owner(FOREIGN, named)
    job_id, supervisor = environ.get(ENV_JOB, ""), environ.get(ENV_SUPERVISOR, "")
    if not job_id:
        return Owner(FOREIGN, named)
    if job_id in holders:
        return Owner(OURS, named)
    if job_id in running:
        return Owner(FOREIGN, f"{named} of job {job_id}, which has another GPU,")
    if supervisor == mark_of_this_life() or has_ended(supervisor):
        return Owner(LEFTOVER, f"{named} of job {job_id}, which is over,")
    return Owner(FOREIGN, f"job {job_id} of another worker")
