"""A moment as people write it: `22:00`, `2026-12-01 22:00`, `+2h`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fusionq.spec.units import parse_duration

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\Z")
_FORMS = "write 22:00, 2026-12-01 22:00 or +2h"


def parse_time(text: str, now: datetime) -> datetime:
    """The moment that is meant, seen from `now` (with a zone). Raises ValueError.

    A time of day is the next one; without an offset a moment is one of this machine's own zone.
    """
    text = text.strip()
    try:
        if text.startswith("+"):
            return now + timedelta(seconds=parse_duration(text[1:]))
        if clock := _CLOCK.match(text):
            return _next(clock, now)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time; {_FORMS}") from None


def check_time(text: str) -> str:
    """The text, where it is a time. Raises ValueError."""
    parse_time(text, datetime.now(UTC))
    return text


def _next(clock: re.Match[str], now: datetime) -> datetime:
    hour, minute, second = (int(part or 0) for part in clock.groups())
    # Without a zone, as the hour is that of a clock on the wall, also on a day that has no 24 of them.
    here = now.astimezone().replace(tzinfo=None)
    at = here.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (at if at > here else at + timedelta(days=1)).astimezone(UTC)
