"""A disk that is full."""

from __future__ import annotations

import errno


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a write failed because there is no room, or no more for this user."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__  # libraries bury it
    return False
