"""The commands that run beside a job process, in its environment, and end with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fusionq.errors import StateError
from fusionq.worker.inherited_environment import inherited
from fusionq.worker.protocol import COMMAND, COMMAND_ENVIRON, COMMAND_FOLDER

END_S = 10.0  # for what is told to end at once; a process that cannot be killed is seen on its GPU

_MODULE = "fusionq.worker.job_process.command"


class JobCommands:
    """Those of one attempt."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: Mapping[str, Any] | None = None
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._has_ended = False

    def open(self, orders: Mapping[str, Any]) -> None:
        """Take commands from now on; `orders` are those that the job process got."""
        self._orders = orders

    @property
    def has_ended(self) -> bool:
        """Whether the attempt has ended its commands, and takes no more."""
        return self._has_ended

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command; its output is to be read at `stdout`. Raises StateError, and OSError."""
        with self._lock:
            if self._has_ended:
                raise StateError("the attempt is over")
            if self._orders is None:
                raise StateError("its process has not started yet", hint="try again in a while")
            process = _start_guardian()
            self._processes.add(process)
        _tell(process, command, self._orders)
        return process

    def remove(self, process: subprocess.Popen[bytes]) -> None:
        """It has ended."""
        with self._lock:
            self._processes.discard(process)

    def end(self) -> None:
        """Tell them all to end at once, and take no more."""
        with self._lock:
            self._has_ended = True
            for process in self._processes:
                process.terminate()

    def await_end(self) -> None:
        """Wait until those that were told to end are gone."""
        deadline = time.monotonic() + END_S
        with self._lock:
            processes = list(self._processes)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))


def _start_guardian() -> subprocess.Popen[bytes]:
    """Start what starts a command, and ends all that comes of it.

    It has none of the job's marks: what kills by them must leave it, for it ends the rest.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=inherited(os.environ),
        start_new_session=True,  # a Ctrl-C at the worker's terminal is not for it
    )


def _tell(process: subprocess.Popen[bytes], command: Sequence[str], orders: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    told = {COMMAND: list(command), COMMAND_ENVIRON: environ_of(orders), COMMAND_FOLDER: folder_of(orders)}
    with suppress(BrokenPipeError), process.stdin as stdin:  # it is over; its exit code tells
        stdin.write(json.dumps(told).encode())


def environ_of(orders: Mapping[str, Any]) -> dict[str, str]:
    """Returns the environment of the job process, with its code first on the import path of Python."""
    environ = {name: value for name, value in inherited(os.environ).items() if name not in orders["withheld"]}
    environ.update(orders["environ"])
    environ.update(orders["marks"])
    paths = [orders["code"], folder_of(orders), environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if orders["code"]:  # else `python -c` finds first what was written in the folder since
        environ["PYTHONSAFEPATH"] = "1"
    return environ


def folder_of(orders: Mapping[str, Any]) -> str:
    """Returns the folder that the job process works in."""
    workdir = orders["workdir"]
    return workdir if Path(workdir).is_dir() else orders["run_dir"]
