"""Who a Redis is: a name that it gets at first use, by which a worker notices that its data was lost."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from fusionq.store import keys
from fusionq.store.connection import Client


class Seen(NamedTuple):
    """What a Redis says of itself now. `name` is '' where it is empty; times are ms by its own clock."""

    name: str
    recovered_ms: int
    now_ms: int


class Identity:
    """The name of the data in one Redis, and when jobs were last put back into it."""

    def __init__(self, client: Client) -> None:
        self._redis = client

    def ensure(self) -> str:
        """Returns the name, and gives one to a Redis that has none."""
        self._redis.hsetnx(keys.IDENTITY, "name", secrets.token_hex(8))
        return self._redis.hget(keys.IDENTITY, "name")

    def read(self) -> Seen:
        """Returns what it says now."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(keys.IDENTITY, "name", "recovered_ms")
        pipe.time()
        (name, recovered_ms), (seconds, micros) = pipe.execute()
        return Seen(name or "", int(recovered_ms or 0), seconds * 1000 + micros // 1000)

    def note_recovery(self) -> None:
        """Tells the workers that somebody put jobs back: what they still hold of the lost data ends."""
        self.ensure()
        self._redis.hset(keys.IDENTITY, "recovered_ms", self.read().now_ms)
