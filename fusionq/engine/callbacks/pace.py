"""How often something may be done again whose cost grows with the epochs."""

from __future__ import annotations

import time

SHORTEST_S = 1.0
MOST_SHARE = 0.05


class Pace:
    """At most once a second, and never more than a twentieth of the time."""

    def __init__(self) -> None:
        self._next_at = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._next_at

    def note(self, began: float) -> None:
        """It was done, from `began` (by the monotonic clock) until now."""
        now = time.monotonic()
        self._next_at = now + max(SHORTEST_S, (now - began) / MOST_SHARE)
