"""The commands that run beside a job process, in its environment, and end with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fusionq.errors import StateError
from fusionq.store.commands import Terminal
from fusionq.worker.inherited_environment import inherited
from fusionq.worker.protocol import (
    COMMAND,
    COMMAND_ENVIRON,
    COMMAND_FOLDER,
    COMMAND_INPUT,
    INPUT_AT_TERMINAL,
    INPUT_BEHIND,
    NO_INPUT,
)

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

    def start(
        self, command: Sequence[str], *, takes_input: bool = False, terminal: Terminal | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command; its output is to be read at `stdout`. Raises StateError, and OSError.

        Its input, where it takes any, is to be written to `stdin`. With a terminal both are its master side.
        """
        with self._lock:
            if self._has_ended:
                raise StateError("the attempt is over")
            if self._orders is None:
                raise StateError("its process has not started yet", hint="try again in a while")
            process = _start_guardian(terminal)
            self._processes.add(process)
        orders = {
            COMMAND: list(command),
            COMMAND_ENVIRON: environ_of(self._orders),
            COMMAND_FOLDER: folder_of(self._orders),
            COMMAND_INPUT: INPUT_AT_TERMINAL if terminal else INPUT_BEHIND if takes_input else NO_INPUT,
        }
        if terminal:
            orders[COMMAND_ENVIRON]["TERM"] = terminal.kind
        _tell(process, orders)
        if terminal:
            process.stdin = process.stdout
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


def _start_guardian(terminal: Terminal | None) -> subprocess.Popen[bytes]:
    """Start what starts a command, and ends all that comes of it.

    It has none of the job's marks: what kills by them must leave it, for it ends the rest.
    """
    if terminal is None:
        return _start_writing_to(subprocess.PIPE)
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (terminal.window.rows, terminal.window.columns))
        process = _start_writing_to(theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    process.stdout = os.fdopen(ours, "r+b", buffering=0)
    return process


def _start_writing_to(output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=inherited(os.environ),
        start_new_session=True,  # a Ctrl-C at the worker's terminal is not for it
    )


def _tell(process: subprocess.Popen[bytes], orders: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it is over; its exit code tells
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        process.stdin.flush()
    if orders[COMMAND_INPUT] != INPUT_BEHIND:
        with suppress(BrokenPipeError):
            process.stdin.close()


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
