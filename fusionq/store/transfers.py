"""Files or output on their way from a worker to whoever asked: a few pieces at a time, by a list in Redis."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator

from redis.client import NEVER_DECODE

from fusionq.errors import FusionqError
from fusionq.spec.printable import printable
from fusionq.store import keys
from fusionq.store.connection import LONGEST_BLOCK_S, Client

PIECE_BYTES = 1_000_000
MOST_PIECES = 16  # that lie in Redis at once
SILENCE_S = 60.0  # after which either side gives the other up
POLL_S = 0.01

_DATA, _ERROR, _ALIVE, _END = b"d", b"e", b"a", b"."


class TransferError(FusionqError):
    """The other side refused, or fell silent."""


class RefusedError(TransferError):
    """The other side says why there is nothing, or nothing more."""


class Transfers:
    """Both sides of it, under a token that the receiver makes up."""

    def __init__(self, client: Client) -> None:
        self._redis = client

    @staticmethod
    def new_token() -> str:
        return secrets.token_hex(16)

    # --- the worker ----------------------------------------------------------------------------------

    def send(self, token: str, data: bytes) -> None:
        """Send a piece, once there is room for it. Raises TransferError where nobody takes any."""
        key = keys.transfer(token)
        deadline = time.monotonic() + SILENCE_S
        while not self.has_room(token):
            if time.monotonic() > deadline:
                raise TransferError("nobody takes the files any more")
            time.sleep(POLL_S)
        self._push(key, _DATA + data)

    def has_room(self, token: str) -> bool:
        """Returns whether a piece can be sent without waiting."""
        return self._redis.llen(keys.transfer(token)) < MOST_PIECES

    def say_alive(self, token: str) -> None:
        """Let the receiver know that there is nothing to send yet."""
        self._push(keys.transfer(token), _ALIVE)

    def end(self, token: str, exit_code: int = 0) -> None:
        """That was all; of a command, how it ended."""
        self._push(keys.transfer(token), _END + str(exit_code).encode())

    def refuse(self, token: str, reason: str) -> None:
        """There is nothing, or nothing more, and this is why."""
        self._push(keys.transfer(token), _ERROR + printable(reason).encode())

    def _push(self, key: str, piece: bytes) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, piece)
            pipe.expire(key, round(SILENCE_S))
            pipe.execute()

    # --- the receiver --------------------------------------------------------------------------------

    def receive(
        self, token: str, first_within_s: float, check: Callable[[], None] | None = None
    ) -> Generator[bytes, None, int]:
        """The pieces, to the end; the generator returns the exit code that came with it.

        Raises RefusedError with the reason of the other side, and TransferError where that is silent. `check`
        is called at least every second: what it raises ends the transfer.
        """
        key = keys.transfer(token)
        deadline = time.monotonic() + first_within_s
        while True:
            if check is not None:
                check()
            answer = self._redis.execute_command("BLPOP", key, LONGEST_BLOCK_S / 2, **{NEVER_DECODE: True})
            if answer is None:
                if time.monotonic() > deadline:
                    raise TransferError("nobody sends the files")
                continue
            kind, data = answer[1][:1], answer[1][1:]
            if kind == _END:
                return int(data or b"0")
            if kind == _ERROR:
                raise RefusedError(data.decode())
            deadline = time.monotonic() + SILENCE_S
            if kind == _DATA:
                yield data
                deadline = time.monotonic() + SILENCE_S  # whoever took it may have taken its time
