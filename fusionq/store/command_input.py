"""Input on its way to a command beside a job: a few pieces at a time, by a list in Redis."""

from __future__ import annotations

from dataclasses import dataclass

from redis.client import NEVER_DECODE

from fusionq.store import keys
from fusionq.store.connection import Client

PIECE_BYTES = 65_536
MOST_PIECES = 16  # that lie in Redis at once
STAYS_S = 60  # `Commands.keep_listening` makes that longer as long as somebody waits

_DATA, _WINDOW = b"d", b"w"


@dataclass(frozen=True)
class WindowSize:
    """The size of a terminal, in characters."""

    rows: int
    columns: int


class CommandInput:
    """Both sides of it, under the token of the command. `b""` stands for its end, as with a file."""

    def __init__(self, client: Client) -> None:
        self._redis = client

    # --- who asks ------------------------------------------------------------------------------------

    def send(self, token: str, piece: bytes | WindowSize) -> bool:
        """Send a piece. Returns whether there is room for another one. Raises StoreUnavailableError."""
        key = keys.command_input(token)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, _packed(piece))
            pipe.expire(key, STAYS_S)
            length, _ = pipe.execute()
        return length < MOST_PIECES

    def has_room(self, token: str) -> bool:
        """Returns whether another piece may be sent. Raises StoreUnavailableError."""
        return self._redis.llen(keys.command_input(token)) < MOST_PIECES

    # --- the worker ----------------------------------------------------------------------------------

    def receive(self, token: str, within_s: float) -> bytes | WindowSize | None:
        """Wait for the next piece; None where none comes within that time. Raises StoreUnavailableError."""
        key = keys.command_input(token)
        answer = self._redis.execute_command("BLPOP", key, within_s, **{NEVER_DECODE: True})
        return None if answer is None else _unpacked(answer[1])


def _packed(piece: bytes | WindowSize) -> bytes:
    if isinstance(piece, WindowSize):
        return _WINDOW + f"{piece.rows} {piece.columns}".encode()
    return _DATA + piece


def _unpacked(packed: bytes) -> bytes | WindowSize:
    data = packed[1:]
    return WindowSize(*map(int, data.split())) if packed[:1] == _WINDOW else data
