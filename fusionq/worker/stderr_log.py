"""Writes the log of a worker to stderr without ever depending on who reads it.

Its reader may be gone (`fusionq worker 2>&1 | head`, a closed terminal) or stand still with the pipe full.
What cannot be written is dropped, and counted once something can be written again.
"""

from __future__ import annotations

import logging
import os
import select
import sys

STDERR = 2
PIPE_BUF = 4096  # so much can be written without blocking to a pipe that has room
PATIENCE_S = 0.2  # a reader may be busy for a moment

_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


def write_if_possible(descriptor: int, data: bytes, patience_s: float = 0.0) -> bool:
    """Writes without blocking. Returns whether all of it was written. Fit for a signal handler."""
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while data:
            ready = poll.poll(patience_s * 1000)
            if not ready or ready[0][1] & _BROKEN:
                return False
            data = data[os.write(descriptor, data[:PIPE_BUF]) :]
    except OSError:
        return False
    return True


class StderrHandler(logging.Handler):
    """The handler of the root logger."""

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
        self._descriptor = descriptor
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # arguments that do not fit, or an object that cannot be printed
            text = (
                f"{record.levelname} a message that cannot be shown ({type(error).__name__}): {record.msg!r}"
            )
        self.write_line(text)

    def write_line(self, text: str) -> None:
        if self._dropped:
            # A reader that stood still once is not waited for again.
            told = f"({self._dropped} lines of this log could not be written)\n".encode()
            if not write_if_possible(self._descriptor, told):
                self._dropped += 1
                return
            self._dropped = 0
        if not write_if_possible(self._descriptor, f"{text}\n".encode(errors="replace"), PATIENCE_S):
            self._dropped += 1


def set_up_log() -> None:
    """Sends all log lines of this process to stderr, ours from INFO on."""
    logging.getLogger().addHandler(StderrHandler())
    logging.getLogger("fusionq").setLevel(logging.INFO)


def say_last_words(message: str) -> None:
    """Tells why this process does not go on."""
    sys.stderr.flush()
    write_if_possible(STDERR, f"fusionq: {message}\n".encode(errors="replace"), PATIENCE_S)
