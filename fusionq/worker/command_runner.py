"""Runs commands beside a job for whoever asked: their output and exit code go back through Redis."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import threading
import time
from contextlib import nullcontext

from fusionq.errors import StateError
from fusionq.store.commands import CommandRequest
from fusionq.worker.command_input import InputWriter
from fusionq.worker.request_threads import place_in, serve
from fusionq.worker.running_attempts import Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

AT_ONCE = threading.BoundedSemaphore(8)  # each has a thread of the worker
PIECE_BYTES = 65_536
READ_S = 0.1
ROOM_S = 0.02  # how often it is asked whether there is room for more
LOOK_S = 0.5  # how often it is asked whether somebody still waits
SAY_ALIVE_S = 5.0
INTERRUPTED_S = 3.0  # for a command to end by itself once nobody waits


def run_command(node: Node, token: str) -> None:
    """Run it, or say why not. Returns at once."""
    serve("command", lambda: _run(node, token), lambda reason: node.store.transfers.refuse(token, reason))


def _run(node: Node, token: str) -> None:
    request = node.store.commands.take(token)
    if request is None:
        return  # a doubled message, or nobody waits any more
    try:
        _run_if_possible(node, request, token)
    except (StateError, OSError) as error:
        raise StateError(f"no command can be run beside {request.job_id}: {error}") from error


def _run_if_possible(node: Node, request: CommandRequest, token: str) -> None:
    attempt = node.running.find(request.job_id)
    if attempt is None or attempt.number != request.attempt:
        raise StateError(f"it does not run on {node.name} any more")
    with place_in(AT_ONCE, f"too many commands run on {node.name}; try again in a while"):
        process = attempt.commands.start(
            request.command, takes_input=request.takes_input, terminal=request.terminal
        )
        log.info(
            "job %s attempt %d: a command beside it, pid %d", attempt.job_id, attempt.number, process.pid
        )
        try:
            _Forwarding(node, attempt, process, request, token).run()
        finally:
            process.terminate()
            process.wait()
            attempt.commands.remove(process)


class _Forwarding:
    """From the output of one command to whoever waits for it, and from there to its input."""

    def __init__(
        self,
        node: Node,
        attempt: Attempt,
        process: subprocess.Popen[bytes],
        request: CommandRequest,
        token: str,
    ) -> None:
        assert process.stdout is not None
        self._store = node.store
        self._attempt = attempt
        self._process = process
        self._output = process.stdout
        self._input = InputWriter(node.store, token, process) if request.takes_input else None
        self._interrupt_by = signal.SIGHUP if request.terminal else signal.SIGINT
        self._poll = select.poll()  # unlike select(), it knows no limit of 1024 descriptors
        self._poll.register(self._output, select.POLLIN)
        self._token = token
        self._look_at = 0.0
        self._say_at = 0.0

    def run(self) -> None:
        """To the end of the command, or until nobody waits for it."""
        with self._output, self._input or nullcontext():
            if self._input:
                self._store.transfers.send(self._token, b"")  # tells that input is taken from now on
            if not self._forward_output():
                return self._interrupt()
        return self._tell_end()

    def _forward_output(self) -> bool:
        """Returns whether the command came to its end."""
        transfers = self._store.transfers
        while self._is_awaited():
            if self._input and self._input.failure:
                transfers.refuse(self._token, f"its worker lost the input: {self._input.failure}")
                return False
            if not transfers.has_room(self._token):
                time.sleep(ROOM_S)  # the command waits, too, once its pipe is full
                continue
            data = self._read()
            if data == b"":
                return True
            if data:
                transfers.send(self._token, data)
        return False

    def _tell_end(self) -> None:
        exit_code = self._process.wait()
        if self._attempt.commands.has_ended:
            reason = f"{self._attempt.job_id} stopped, and the command with it"
            self._store.transfers.refuse(self._token, reason)
        else:
            self._store.transfers.end(self._token, exit_code if exit_code >= 0 else 128 - exit_code)

    def _is_awaited(self) -> bool:
        now = time.monotonic()
        if now < self._look_at:
            return True
        self._look_at = now + LOOK_S
        if now >= self._say_at:
            self._say_at = now + SAY_ALIVE_S
            if self._store.transfers.has_room(self._token):
                self._store.transfers.say_alive(self._token)
        return self._store.commands.has_listener(self._token)

    def _read(self) -> bytes | None:
        """Returns what there is; None where there is nothing yet, and nothing at its end."""
        if not self._poll.poll(READ_S * 1000):
            return None
        data = b""
        while len(data) < PIECE_BYTES and self._poll.poll(0):  # a terminal hands over little at a time
            try:
                piece = os.read(self._output.fileno(), PIECE_BYTES - len(data))
            except BlockingIOError:
                return data or None
            except OSError:  # Linux's way to say that nobody writes to a terminal any more
                piece = b""
            if not piece:
                break
            data += piece
        return data

    def _interrupt(self) -> None:
        """As Ctrl-C would, or the end of a terminal; what does not end by it is killed."""
        self._process.send_signal(self._interrupt_by)
        deadline = time.monotonic() + INTERRUPTED_S
        while time.monotonic() < deadline and self._read() != b"":
            pass
