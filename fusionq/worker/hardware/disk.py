"""A disk that is full."""

from __future__ import annotations

import errno

from fusionq.spec.printable import text_of

# What torch says when it cannot write a file; it hides the reason, which is hardly ever another.
_WORDS = ("unexpected pos", "PytorchStreamWriter failed writing")


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a write failed because there is no room, or no more for this user."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(error, RuntimeError) and any(words in text_of(error) for words in _WORDS):
            return True
        error = error.__cause__ or error.__context__  # libraries bury it
    return False
