"""Finds out how a process ended whose parent has not asked yet."""

from __future__ import annotations

import os

from fusionq.worker.processes.proc_stat import EXIT_CODE, STATE, stat_of


def exit_code_of_zombie(pid: int) -> int | None:
    """Returns its exit code, negative for a signal; None where it lives, is gone, or cannot be seen."""
    try:
        fields = stat_of(pid)
    except OSError:
        return None
    return os.waitstatus_to_exitcode(int(fields[EXIT_CODE])) if fields[STATE] == "Z" else None
