"""Runs a command beside a job that runs, wherever that is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from fusionq.client.command_input import InputForwarder, InputSource
from fusionq.errors import FusionqError, StateError, StoreUnavailableError, UsageError
from fusionq.queue.sender import Sender
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.commands import CommandRequest, Terminal
from fusionq.store.store import Store
from fusionq.store.transfers import RefusedError, TransferError

ANSWER_WITHIN_S = 15.0
KEEP_LISTENING_S = 5.0


def run_command(
    store: Store,
    sender: Sender,
    record: JobRecord,
    command: Sequence[str],
    on_output: Callable[[bytes], None] | None = None,
    *,
    source: InputSource | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Returns the exit code of the command; `on_output` gets what it prints, as it comes.

    It gets the input of `source`, and `terminal` is one of its own, on its worker, that looks like this.
    However this is left, the command ends. Raises StateError where the job does not run, or stops meanwhile,
    and UsageError for what is no list of words.
    """
    if isinstance(command, str) or not command or not command[0]:
        raise UsageError(
            f"{command!r} is no command", hint='it is a list of words, such as ["nvidia-smi", "-L"]'
        )
    _refuse_idle(record)
    request = CommandRequest(record.id, record.attempt, tuple(command), source is not None, terminal)
    token = store.commands.ask(request)
    with _listening(store, token):
        sender.run_command(record.worker, token)
        try:
            return _receive(store, token, on_output, source)
        except RefusedError as error:
            raise StateError(str(error)) from error
        except TransferError as error:
            raise StateError(
                f"the worker {record.worker} does not answer", hint=f"fusionq why {record.id}"
            ) from error


def _refuse_idle(record: JobRecord) -> None:
    """Raises StateError for a job beside which nothing can run."""
    if record.is_finished:
        raise StateError(
            f"{record.id} has ended, and a command runs beside a running job only",
            hint=f"look at its files: fusionq open {record.id}; run it again: fusionq retry {record.id}",
        )
    if record.status is not Status.RUNNING:
        raise StateError(
            f"{record.id} is {record.state_word}, and a command runs beside a running job only",
            hint=f"see what it waits for: fusionq why {record.id}",
        )


def _receive(
    store: Store, token: str, on_output: Callable[[bytes], None] | None, source: InputSource | None
) -> int:
    forwarder = InputForwarder(store, token, source) if source else None
    pieces = store.transfers.receive(token, ANSWER_WITHIN_S, forwarder.check if forwarder else None)
    has_begun = False
    with ExitStack() as stack:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return end.value
            if forwarder and not has_begun:  # the first piece tells that input is taken
                stack.enter_context(forwarder)
                has_begun = True
            if on_output is not None and piece:
                on_output(piece)


@contextmanager
def _listening(store: Store, token: str) -> Iterator[None]:
    """Let the worker know that we are there, also while nobody takes the output from us."""
    has_left = threading.Event()

    def keep_listening() -> None:
        while not has_left.wait(KEEP_LISTENING_S):
            with suppress(StoreUnavailableError):  # whoever receives sees it, too
                store.commands.keep_listening(token)

    thread = threading.Thread(target=keep_listening, name="listening", daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_left.set()
        thread.join()
        with suppress(FusionqError):
            store.commands.withdraw(token)
