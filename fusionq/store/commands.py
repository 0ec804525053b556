"""Commands that a worker is to run beside a job: what is asked, and whether somebody still waits for it.

The output and the exit code come through `fusionq.store.transfers`, the input goes through
`fusionq.store.command_input`, both under the same token.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Self

from fusionq.store import keys
from fusionq.store.command_input import WindowSize
from fusionq.store.connection import Client

STAYS_S = 60  # a request that no worker has taken
LISTENS_S = 30  # after its last sign of life, whoever asked is gone


@dataclass(frozen=True)
class Terminal:
    """The terminal that a command gets: its kind, as in TERM, and the size of its window."""

    kind: str
    window: WindowSize


@dataclass(frozen=True)
class CommandRequest:
    """A command for the running attempt of a job."""

    job_id: str
    attempt: int
    command: tuple[str, ...]
    takes_input: bool = False
    terminal: Terminal | None = None

    def to_json(self) -> str:
        parts = [self.job_id, self.attempt, self.command]
        if self.takes_input or self.terminal:  # else a worker that knows neither can run it, too
            terminal = self.terminal
            size = [terminal.kind, terminal.window.rows, terminal.window.columns] if terminal else None
            parts += [self.takes_input, size]
        return json.dumps(parts)

    @classmethod
    def from_json(cls, text: str) -> Self:
        job_id, attempt, command, takes_input, size = (*json.loads(text), False, None)[:5]
        terminal = Terminal(size[0], WindowSize(*size[1:])) if size else None
        return cls(job_id, attempt, tuple(command), takes_input, terminal)


class Commands:
    """Both sides of it, under a token that the side that asks makes up."""

    def __init__(self, client: Client) -> None:
        self._redis = client

    # --- who asks ------------------------------------------------------------------------------------

    def ask(self, request: CommandRequest) -> str:
        """Store a request. Returns its token. Raises StoreUnavailableError."""
        token = secrets.token_hex(16)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(keys.command(token), request.to_json(), ex=STAYS_S)
            pipe.set(keys.listener(token), 1, ex=LISTENS_S)
            pipe.execute()
        return token

    def keep_listening(self, token: str) -> None:
        """Say that somebody still waits, and keep what was not taken yet. Raises StoreUnavailableError."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(keys.listener(token), 1, ex=LISTENS_S)
            pipe.expire(keys.transfer(token), STAYS_S)
            pipe.expire(keys.command_input(token), STAYS_S)
            pipe.execute()

    def withdraw(self, token: str) -> None:
        """Nobody waits any more: the command is not begun, or ended. Raises StoreUnavailableError."""
        self._redis.delete(
            keys.command(token), keys.listener(token), keys.transfer(token), keys.command_input(token)
        )

    # --- the worker ----------------------------------------------------------------------------------

    def take(self, token: str) -> CommandRequest | None:
        """Take a request; None where it is gone, or was taken. Raises StoreUnavailableError."""
        found = self._redis.getdel(keys.command(token))
        return CommandRequest.from_json(found) if found else None

    def has_listener(self, token: str) -> bool:
        """Returns whether somebody waits for the output. Raises StoreUnavailableError."""
        return bool(self._redis.exists(keys.listener(token)))
