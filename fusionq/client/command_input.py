"""Passes input on to a command beside a job."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Self

from fusionq.errors import FusionqError
from fusionq.store.command_input import PIECE_BYTES, WindowSize
from fusionq.store.store import Store

ROOM_S = 0.02  # how often it is asked whether there is room for more


class InputSource:
    """Where input comes from. It is entered, in the thread of whoever asks, once the command has begun."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[bytes | WindowSize]:
        """Yields the input as it comes, to its end or until `stop`, in another thread."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the iteration soon."""


class BytesInput(InputSource):
    """Input that is there already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), PIECE_BYTES):
            yield self._data[start : start + PIECE_BYTES]


class InputForwarder:
    """Sends what a source yields within a `with` block, in a thread of its own."""

    def __init__(self, store: Store, token: str, source: InputSource) -> None:
        self._input = store.command_input
        self._token = token
        self._source = source
        self._has_left = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._forward, name="input", daemon=True)

    def __enter__(self) -> Self:
        self._source.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._has_left.set()
            self._source.stop()
            self._thread.join()
        finally:
            self._source.__exit__()

    def check(self) -> None:
        """Raises what ended the input before its end."""
        if self._failure:
            raise self._failure

    def _forward(self) -> None:
        try:
            for piece in self._source:
                self._send(piece)
                if self._has_left.is_set():
                    return
            if not self._has_left.is_set():
                self._send(b"")
        except (FusionqError, OSError) as error:
            self._failure = error

    def _send(self, piece: bytes | WindowSize) -> None:
        has_room = self._input.send(self._token, piece)
        while not has_room and not self._has_left.wait(ROOM_S):
            has_room = self._input.has_room(self._token)
