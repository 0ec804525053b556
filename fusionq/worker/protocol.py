"""How worker, fork server and job process talk: lines of JSON over a socket, and exit codes.

What a job says passes one door, `cleaned`, before the worker stores, logs or shows any of it.
"""

from __future__ import annotations

import json
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any

from fusionq.spec.failures import CRASH, ERROR, HOST_OOM
from fusionq.spec.printable import one_line, printable_data

REQUEST = b"f"  # what the fork server is sent with the descriptor of a job's channel

MEETING = "meeting"  # the kind of message in which a job says on which port its ranks meet

SENTENCES = ("reason", "text")  # keys of what is shown in one line

TO_CHECK = "to_check"  # the orders of a process that trains nothing: jobs to check
VERDICTS = "verdicts"  # the kind of message in which it answers

# The keys of what the guardian of a command that runs beside a job is told.
COMMAND, COMMAND_ENVIRON, COMMAND_FOLDER = "command", "environ", "folder"
COMMAND_INPUT = "input"  # where its input comes from: one of the next three
NO_INPUT, INPUT_BEHIND, INPUT_AT_TERMINAL = "none", "behind", "terminal"  # `behind` the orders, on stdin

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_STOPPED = 75  # as asked, with its state saved


def of_exit_code(code: int) -> tuple[str, str]:
    """Of a process that said nothing: the class of its failure, and the reason in words."""
    if code >= 0:
        return ERROR, f"its process ended with exit code {code} and no result"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if code == -signal.SIGKILL:
        # The kernel's way to end a process when memory runs out; it leaves no other trace that we may read.
        return HOST_OOM, f"its process was killed ({name}), by somebody or for lack of memory"
    return CRASH, f"its process crashed ({name})"


def leads_ranks(orders: Mapping[str, Any]) -> bool:
    """Returns whether the job process trains in processes of its own."""
    return orders["processes"] > 1 or orders["nodes"] > 1


def send(channel: socket.socket, message: dict[str, Any]) -> None:
    """Send one message. Raises OSError where nobody listens any more."""
    # A line end before it too: a process that was killed may have left half a message on the channel.
    channel.sendall(b"\n" + json.dumps(message).encode() + b"\n")


class Receiver:
    """Reads messages from a socket as they come."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.is_closed = False
        self._buffer = b""

    def receive(self, timeout_s: float | None) -> list[dict[str, Any]]:
        """Wait for messages; [] after the time limit, or (`is_closed`) when the other side is gone."""
        return self._take() if self._has_data(timeout_s) else []

    def drain(self) -> list[dict[str, Any]]:
        """Returns all that has arrived. Ends only where nobody goes on sending."""
        messages = []
        while self._has_data(0.0):
            messages += self._take()
        return messages

    def _has_data(self, timeout_s: float | None) -> bool:
        poll = select.poll()  # unlike select(), it knows no limit of 1024 descriptors
        poll.register(self.channel, select.POLLIN)
        timeout_ms = None if timeout_s is None else max(0.0, timeout_s) * 1000
        return not self.is_closed and bool(poll.poll(timeout_ms))

    def _take(self) -> list[dict[str, Any]]:
        try:
            data = self.channel.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.is_closed = True
            return []
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [message for message in map(_read, lines) if message is not None]


def cleaned(message: dict[str, Any]) -> dict[str, Any]:
    """Returns what a job said with all text in it safe, and its sentences short."""
    return {
        key: one_line(value) if key in SENTENCES and isinstance(value, str) else printable_data(value)
        for key, value in message.items()
    }


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # nothing, or half a message
        return None
