"""How long a program that looks on goes on without Redis."""

from __future__ import annotations

import time

from fusionq.errors import StoreUnavailableError

PATIENCE_S = 60.0
RETRY_S = 1.0


class Patience:
    """A minute without a word from Redis is waited out."""

    def __init__(self) -> None:
        self._heard_at = time.monotonic()

    def note_word(self) -> None:
        """Redis answered."""
        self._heard_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self._heard_at > PATIENCE_S

    def bear(self, error: StoreUnavailableError) -> None:
        """Wait a little before the next try. Raises the error once it has been for a minute."""
        if self.is_over:
            raise error
        time.sleep(RETRY_S)
