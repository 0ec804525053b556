"""Makes a fresh process the job's own: what it prints to, its environment, its folder, its import path."""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.job import Job
from fusionq.engine.user_modules import import_from
from fusionq.spec.load import parse_job
from fusionq.spec.paths import RunPaths
from fusionq.worker import protocol as wire
from fusionq.worker.processes.tags import wear


def redirect_output(path: Path, umask: int) -> None:
    """Everything that Python, C code and children print goes to the log, line by line."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666 & ~umask)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    faulthandler.enable(file=2, all_threads=True)


def prepare(orders: dict[str, Any]) -> Job:
    """Environment, folder and import path as the orders say, and the job that they describe."""
    for name in orders["withheld"]:
        os.environ.pop(name, None)
    os.environ.update(orders["environ"])
    wear(orders["marks"])
    workdir = Path(orders["workdir"])
    if workdir.is_dir():
        os.chdir(workdir)
    else:
        os.chdir(orders["run_dir"])
        print(f"WARNING: {workdir} is not on this machine; working in {orders['run_dir']}", flush=True)
    set_import_path(orders["code"], workdir)
    # One for whoever forks others: threads that torch has started do not live on in a fork, which then hangs.
    torch.set_num_threads(1 if wire.leads_ranks(orders) else orders["threads"])
    data_root = orders["data_root"]
    return Job(
        spec=parse_job(orders["spec"]),
        paths=RunPaths(Path(orders["run_dir"])),
        attempt=orders["attempt"],
        fresh_after=orders["fresh_after"],
        workdir=Path.cwd(),
        data_root=Path(data_root) if data_root else None,
        provenance=orders["provenance"],
    )


def set_import_path(code: str, workdir: Path) -> None:
    """The user's own modules: as they were submitted where they are stored, else as they are now.

    A worker that was started in the job's folder has that on its path. What is stored must not be mixed with
    what was written there since.
    """
    if code:
        live = os.path.realpath(workdir)
        sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != live]
        import_from([code])
    elif workdir.is_dir():
        import_from([str(workdir)])
