"""Runs one command beside a job, and ends whatever it leaves behind.

Started as `python -P -m fusionq.worker.job_process.command`, with its orders on stdin. It is a guardian like
that of a job process: no process of the command can leave it. SIGINT is passed on to the command, SIGTERM
ends all at once, and so does the end of the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from fusionq.worker.job_process.guardian import adopt_orphans, kill_children
from fusionq.worker.processes.parent_death import die_with_parent
from fusionq.worker.protocol import COMMAND, COMMAND_ENVIRON, COMMAND_FOLDER

EXIT_NOT_EXECUTABLE = 126  # as shells have it
EXIT_NO_COMMAND = 127
EXIT_BY_SIGNAL = 128

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def main() -> NoReturn:
    die_with_parent(signal.SIGTERM)  # not before it has killed what it guards
    adopt_orphans()
    orders = json.load(sys.stdin.buffer)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until both sides know what to do with them
    pid = os.fork()
    if pid == 0:
        _become(orders[COMMAND], orders[COMMAND_ENVIRON], orders[COMMAND_FOLDER])
    _guard(pid)


def _become(command: list[str], environ: dict[str, str], folder: str) -> NoReturn:
    """In the child: turn into the command."""
    code = EXIT_NO_COMMAND
    try:
        os.setsid()  # a group of its own: what interrupts it reaches all of it
        die_with_parent()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.chdir(folder)
        os.execvpe(command[0], command, environ)
    except FileNotFoundError as error:
        what = f"there is no folder {folder}" if error.filename == folder else f"no command {command[0]!r}"
        _say(f"fusionq: {what} on {os.uname().nodename}")
    except (OSError, ValueError) as error:
        code = EXIT_NOT_EXECUTABLE
        _say(f"fusionq: {command[0]!r} cannot be run: {getattr(error, 'strerror', None) or error}")
    finally:
        os._exit(code)


def _say(line: str) -> None:
    os.write(2, f"{line}\n".encode(errors="backslashreplace"))


def _guard(pid: int) -> NoReturn:
    code = EXIT_BY_SIGNAL + signal.SIGKILL
    try:
        signal.signal(signal.SIGINT, lambda *_: _send(pid, signal.SIGINT))
        signal.signal(signal.SIGTERM, lambda *_: _send(pid, signal.SIGKILL))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        status = None
        while status is None:  # what the command left, and ended since, is reaped here as well
            ended, status_of_it = os.waitpid(-1, 0)
            status = status_of_it if ended == pid else None
        code = os.waitstatus_to_exitcode(status)
        kill_children()
    finally:
        os._exit(code if code >= 0 else EXIT_BY_SIGNAL - code)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(pid, number)


if __name__ == "__main__":
    main()
