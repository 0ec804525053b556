"""Standard input for a command beside a job, as it comes: key by key where the command has a terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, Self

from fusionq.client.command_input import InputSource
from fusionq.errors import UsageError
from fusionq.spec.printable import text_of
from fusionq.store.command_input import WindowSize
from fusionq.store.commands import Terminal

READ_BYTES = 65_536
EXIT_BY_SIGNAL = 128
USUAL_SIZE = WindowSize(24, 80)


def own_terminal() -> Terminal:
    """Returns what terminal this process has, so that a command gets one like it."""
    sizes = (
        _window_size(stream.fileno()) for stream in (sys.stdin, sys.stdout) if stream and stream.isatty()
    )
    return Terminal(os.environ.get("TERM", "dumb"), next(sizes, USUAL_SIZE))


def _window_size(fd: int) -> WindowSize:
    rows, columns = termios.tcgetwinsize(fd)
    return WindowSize(rows, columns) if rows and columns else USUAL_SIZE


class StandardInput(InputSource):
    """What is read from stdin until its end.

    is_raw: it is a terminal, and each key goes to the command, Ctrl-C too, as does the size of its window.
    """

    def __init__(self, *, is_raw: bool) -> None:
        self._fd = sys.stdin.fileno()
        self._is_raw = is_raw
        self._has_stopped = False

    def __enter__(self) -> Self:
        self._wake_out, self._wake_in = os.pipe()
        if self._is_raw:
            self._before: list[Any] = termios.tcgetattr(self._fd)
            self._handlers = {
                signal.SIGWINCH: signal.signal(signal.SIGWINCH, self._wake),
                signal.SIGTERM: signal.signal(signal.SIGTERM, _leave),  # else the terminal would stay raw
                signal.SIGHUP: signal.signal(signal.SIGHUP, _leave),
            }
            tty.setraw(self._fd, termios.TCSADRAIN)  # which keeps what was typed before
            self._wake()  # the size may have changed since it was told
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_raw:
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        os.close(self._wake_in)
        os.close(self._wake_out)

    def __iter__(self) -> Iterator[bytes | WindowSize]:
        while True:
            ready, _, _ = select.select([self._fd, self._wake_out], [], [])
            if self._wake_out in ready:
                os.read(self._wake_out, 1024)
                if self._has_stopped:
                    return
                yield _window_size(self._fd)
            if self._fd in ready:
                data = self._read()
                if not data:
                    return
                yield data

    def stop(self) -> None:
        self._has_stopped = True
        self._wake()

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, READ_BYTES)
        except OSError as error:
            if self._is_raw:
                return b""  # the terminal is gone
            raise UsageError(f"standard input cannot be read: {text_of(error)}") from error

    def _wake(self, *_: object) -> None:
        os.write(self._wake_in, b"x")


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_BY_SIGNAL + number)
