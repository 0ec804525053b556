"""Runs one command beside a job, and ends whatever it leaves behind.

Started as `python -P -m fusionq.worker.job_process.command`, with its orders as a line on stdin; the input of
the command may follow. It is a guardian like that of a job process: no process of the command can leave it.
SIGINT and SIGHUP are passed on to the command, SIGTERM ends all at once, and so does the end of the worker.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import termios
from contextlib import suppress
from typing import NoReturn

from fusionq.worker.job_process.guardian import adopt_orphans, kill_children
from fusionq.worker.processes.parent_death import die_with_parent
from fusionq.worker.protocol import (
    COMMAND,
    COMMAND_ENVIRON,
    COMMAND_FOLDER,
    COMMAND_INPUT,
    INPUT_AT_TERMINAL,
    INPUT_BEHIND,
)

EXIT_NOT_EXECUTABLE = 126  # as shells have it
EXIT_NO_COMMAND = 127
EXIT_BY_SIGNAL = 128

_PASSED_ON = {signal.SIGINT, signal.SIGHUP}
_SIGNALS = {*_PASSED_ON, signal.SIGTERM}
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def main() -> NoReturn:
    die_with_parent(signal.SIGTERM)  # not before it has killed what it guards
    adopt_orphans()
    orders = json.loads(os.fdopen(0, "rb", buffering=0, closefd=False).readline())  # and nothing behind it
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until both sides know what to do with them
    pid = os.fork()
    if pid == 0:
        _become(orders[COMMAND], orders[COMMAND_ENVIRON], orders[COMMAND_FOLDER], orders[COMMAND_INPUT])
    _close_stdin()
    _guard(pid)


def _close_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _become(command: list[str], environ: dict[str, str], folder: str, input_from: str) -> NoReturn:
    """In the child: turn into the command."""
    code = EXIT_NO_COMMAND
    try:
        os.setsid()  # a group of its own: what interrupts it reaches all of it
        die_with_parent()
        if input_from == INPUT_AT_TERMINAL:
            fcntl.ioctl(1, termios.TIOCSCTTY, 0)  # its Ctrl-C goes to whatever the command runs in front
            os.dup2(1, 0)
        elif input_from != INPUT_BEHIND:
            _close_stdin()
        for number in _SIGNALS | _IGNORED_BY_PYTHON:
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
        for number in _PASSED_ON:
            signal.signal(number, lambda passed_on, _: _send(pid, signal.Signals(passed_on)))
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
