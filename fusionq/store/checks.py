"""Questions to a worker about jobs that are to be submitted, and its answers; both expire."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from fusionq.store import keys
from fusionq.store.connection import LONGEST_BLOCK_S, Client

STAYS_S = 60
SHORTEST_BLOCK_S = 0.01  # Redis before 7 takes less than a millisecond for no limit at all


class Checks:
    """Both sides of it, under a token that the side that asks makes up."""

    def __init__(self, client: Client) -> None:
        self._redis = client

    def ask(self, question: Mapping[str, Any]) -> str:
        """Store a question. Returns its token. Raises StoreUnavailableError."""
        token = secrets.token_hex(16)
        self._redis.set(keys.check(token), json.dumps(question), ex=STAYS_S)
        return token

    def question(self, token: str) -> dict[str, Any] | None:
        """Take a question; None where it is taken, or too old. Raises StoreUnavailableError."""
        found = self._redis.getdel(keys.check(token))
        return json.loads(found) if found else None

    def answer(self, token: str, answer: Mapping[str, Any]) -> None:
        """Raises StoreUnavailableError."""
        key = keys.check_answer(token)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, json.dumps(answer))
            pipe.expire(key, STAYS_S)
            pipe.execute()

    def await_answer(self, token: str, within_s: float) -> dict[str, Any] | None:
        """The answer, or None where none came in time. Raises StoreUnavailableError."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            block_s = min(max(left, SHORTEST_BLOCK_S), LONGEST_BLOCK_S)
            found = self._redis.blpop(keys.check_answer(token), block_s)
            if found:
                return json.loads(found[1])
        return None
