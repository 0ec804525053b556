"""Runs commands beside a job for whoever asked: their output and exit code go back through Redis."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import threading
import time

from fusionq.errors import StateError
from fusionq.store.commands import CommandRequest
from fusionq.worker.request_threads import place_in, serve
from fusionq.worker.running_attempts import Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

AT_ONCE = threading.BoundedSemaphore(8)  # each has a thread of the worker
PIECE_BYTES = 65_536
READ_S = 0.1
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
        process = attempt.commands.start(request.command)
        log.info(
            "job %s attempt %d: a command beside it, pid %d", attempt.job_id, attempt.number, process.pid
        )
        try:
            _Forwarding(node, attempt, process, token).run()
        finally:
            process.terminate()
            process.wait()
            attempt.commands.remove(process)


class _Forwarding:
    """From the output of one command to whoever waits for it."""

    def __init__(self, node: Node, attempt: Attempt, process: subprocess.Popen[bytes], token: str) -> None:
        assert process.stdout is not None
        self._store = node.store
        self._attempt = attempt
        self._process = process
        self._output = process.stdout
        self._poll = select.poll()  # unlike select(), it knows no limit of 1024 descriptors
        self._poll.register(self._output, select.POLLIN)
        self._token = token
        self._look_at = 0.0
        self._say_at = 0.0

    def run(self) -> None:
        """To the end of the command, or until nobody waits for it."""
        transfers = self._store.transfers
        with self._output:
            while True:
                if not self._is_awaited():
                    return self._interrupt()
                if not transfers.has_room(self._token):
                    time.sleep(READ_S)  # the command waits, too, once its pipe is full
                    continue
                data = self._read()
                if data == b"":
                    break
                if data:
                    transfers.send(self._token, data)
        exit_code = self._process.wait()
        if self._attempt.commands.has_ended:
            transfers.refuse(self._token, f"{self._attempt.job_id} stopped, and the command with it")
        else:
            transfers.end(self._token, exit_code if exit_code >= 0 else 128 - exit_code)
        return None

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
        is_ready = self._poll.poll(READ_S * 1000)
        return os.read(self._output.fileno(), PIECE_BYTES) if is_ready else None

    def _interrupt(self) -> None:
        """As Ctrl-C at a terminal would; what does not end by it is killed."""
        self._process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + INTERRUPTED_S
        while time.monotonic() < deadline and self._read() != b"":
            pass
