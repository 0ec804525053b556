"""Hands a command beside a job what is typed for it elsewhere."""

from __future__ import annotations

import os
import select
import subprocess
import termios
import threading
from contextlib import suppress
from typing import Self

from fusionq.errors import StoreUnavailableError
from fusionq.store.command_input import WindowSize
from fusionq.store.store import Store

RECEIVE_S = 0.25  # after which it is looked whether the command has ended
WRITE_S = 0.1  # the same, where the command reads nothing
END_OF_INPUT = b"\x04"  # as Ctrl-D at a terminal


class InputWriter:
    """Writes to the stdin of a command within a `with` block, in a thread of its own, and closes it."""

    def __init__(self, store: Store, token: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        self._store = store
        self._token = token
        self._file = process.stdin
        self._fd = process.stdin.fileno()
        self._is_terminal = os.isatty(self._fd)
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._forward, name="command", daemon=True)
        self.failure: StoreUnavailableError | None = None

    def __enter__(self) -> Self:
        os.set_blocking(self._fd, False)  # else no end reaches whoever writes to a command that does not read
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._thread.join()
        with suppress(OSError):
            self._file.close()

    def _forward(self) -> None:
        try:
            while not self._has_ended.is_set():
                piece = self._store.command_input.receive(self._token, RECEIVE_S)
                if isinstance(piece, WindowSize):
                    termios.tcsetwinsize(self._fd, (piece.rows, piece.columns))
                elif piece == b"" and not self._is_terminal:
                    return self._file.close()
                elif piece is not None:
                    self._write(piece or END_OF_INPUT)
        except StoreUnavailableError as error:  # what was typed may be lost
            self.failure = error
        except (OSError, termios.error):
            pass  # the command has ended, or has closed its input
        return None

    def _write(self, data: bytes) -> None:
        poll = select.poll()  # unlike select(), it knows no limit of 1024 descriptors
        poll.register(self._fd, select.POLLOUT)
        while data and not self._has_ended.is_set():
            if poll.poll(WRITE_S * 1000):
                with suppress(BlockingIOError):
                    data = data[os.write(self._fd, data) :]
