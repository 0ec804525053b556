"""Files on their way from a worker to whoever asked: a few pieces at a time, through a list in Redis."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from redis.client import NEVER_DECODE

from fusionq.errors import FusionqError
from fusionq.store import keys
from fusionq.store.connection import LONGEST_BLOCK_S, Client

PIECE_BYTES = 1_000_000
MOST_PIECES = 16  # that lie in Redis at once
SILENCE_S = 60.0  # after which either side gives the other up
POLL_S = 0.01

_DATA, _ERROR, _END = b"d", b"e", b"."


class TransferError(FusionqError):
    """The other side refused, or fell silent."""


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
        while self._redis.llen(key) >= MOST_PIECES:
            if time.monotonic() > deadline:
                raise TransferError("nobody takes the files any more")
            time.sleep(POLL_S)
        self._push(key, _DATA + data)

    def end(self, token: str) -> None:
        self._push(keys.transfer(token), _END)

    def refuse(self, token: str, reason: str) -> None:
        self._push(keys.transfer(token), _ERROR + reason.encode())

    def _push(self, key: str, piece: bytes) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, piece)
            pipe.expire(key, round(SILENCE_S))
            pipe.execute()

    # --- the receiver --------------------------------------------------------------------------------

    def receive(self, token: str, first_within_s: float) -> Iterator[bytes]:
        """The pieces, to the end. Raises TransferError: the reason of the other side, or its silence."""
        key = keys.transfer(token)
        deadline = time.monotonic() + first_within_s
        while True:
            answer = self._redis.execute_command("BLPOP", key, LONGEST_BLOCK_S / 2, **{NEVER_DECODE: True})
            if answer is None:
                if time.monotonic() > deadline:
                    raise TransferError("nobody sends the files")
                continue
            kind, data = answer[1][:1], answer[1][1:]
            if kind == _END:
                return
            if kind == _ERROR:
                raise TransferError(data.decode())
            deadline = time.monotonic() + SILENCE_S
            yield data
