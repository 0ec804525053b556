"""Who runs a scheduling pass, reaps lost leases or takes away old jobs: one at a time, with no wish lost."""

from __future__ import annotations

from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

PASS_HOLDS_MS = 10_000
WISH_HOLDS_MS = 2_000


class Passes:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def wish(self) -> bool:
        """Ask for a pass. False where somebody asked just now, so that no second message is needed."""
        return bool(self._redis.set(keys.WANTED, "1", nx=True, px=WISH_HOLDS_MS))

    def begin(self, token: str) -> bool:
        """Take the pass. False where one runs: it is told to look again before it ends."""
        self._redis.delete(keys.WANTED)
        if self._redis.set(keys.PASS_LOCK, token, nx=True, px=PASS_HOLDS_MS):
            return True
        self._redis.set(keys.AGAIN, "1", px=PASS_HOLDS_MS)
        # The pass may have ended between the two commands, and nobody would look again.
        return bool(self._redis.set(keys.PASS_LOCK, token, nx=True, px=PASS_HOLDS_MS))

    def end(self, token: str) -> bool:
        """Give the pass back. True where the holder must look again first."""
        return self._scripts.run("end_pass", token) == 1

    def begin_reaping(self, token: str, holds_s: float) -> bool:
        """Take the reaper's turn, which ends by itself."""
        return bool(self._redis.set(keys.REAP_LOCK, token, nx=True, px=round(holds_s * 1000)))

    def begin_cleaning(self, host: str, token: str, holds_s: float) -> bool:
        """Take the turn of a host at taking away old jobs, which ends by itself."""
        return bool(self._redis.set(keys.clean_lock(host), token, nx=True, px=round(holds_s * 1000)))
