"""Whether a process that was noted down still lives: told so that nobody who does is taken for dead."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from fusionq.worker.processes.proc_stat import BEGINNING, stat_of


def this_life() -> str:
    """Names this process in this life of it; another that gets its number is told apart."""
    return life_of(os.getpid())


def life_of(pid: int) -> str:
    """The same of another process. Raises psutil.NoSuchProcess."""
    return f"{pid}:{_beginning(pid)}"


def this_machine() -> str:
    """Names where process numbers mean the same: a machine since it started, or a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # no two of these are the same


def is_known_dead(machine: str, life: str) -> bool:
    """Whether a process of this machine, named by its life, is gone. Of other machines nobody knows here."""
    return machine != "" and machine == this_machine() and not _lives(life)


def mark_of_this_life() -> str:
    """Names this process to whoever may see its children: from outside a container its number is another."""
    return f"{this_machine()}/{this_life()}"


def has_ended(mark: str) -> bool:
    """Whether the process of such a mark is gone, as far as anybody can tell from here."""
    machine, _, life = mark.rpartition("/")
    return machine == this_machine() and not _lives(life)


def _lives(life: str) -> bool:
    pid = int(life.partition(":")[0])
    try:
        os.kill(pid, 0)
        return life_of(pid) == life and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except PermissionError:
        return True  # somebody else's; it may be hidden from us
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def _beginning(pid: int) -> str:
    """When it began, by a clock that nobody sets: the time of day may jump, and with it what psutil tells."""
    try:
        return stat_of(pid)[BEGINNING]
    except OSError:
        return f"{psutil.Process(pid).create_time():.1f}"
