"""A share as a bar of characters."""

from __future__ import annotations

import sys

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = 6) -> str:
    """`▕███▌  ▏` for a share from 0 to 1; `[###---]` where the terminal has no such characters."""
    share = min(1.0, max(0.0, share))
    if not can_draw():
        done = round(share * width)
        return f"[{'#' * done}{'-' * (width - done)}]"
    eighths = round(share * width * 8)
    whole, rest = divmod(eighths, 8)
    drawn = _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")
    return f"▕{drawn:{width}}▏"


def can_draw() -> bool:
    """Whether stdout takes characters beyond ASCII, as far as they are drawn with here."""
    try:
        "▕▌▏".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
