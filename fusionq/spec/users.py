"""Who it is that asks."""

from __future__ import annotations

import getpass
from functools import cache


@cache
def user_name() -> str:
    """The name of the user, empty where the machine knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
