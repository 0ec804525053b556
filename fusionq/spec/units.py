"""Values with units, as people write them: `2h30m`, `1ep`, `500ba`, `24GB`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?\Z"
)
_SECONDS = (86_400, 3_600, 60, 1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B\Z", re.IGNORECASE)
_COUNT = re.compile(r"(\d+)(ep|ba)\Z")


def parse_duration(value: str | int | float) -> float:
    """Seconds in `2h30m`, `90s`, `1d` or a plain number of seconds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a duration is written like 30s, 10m or 2h30m")
    if isinstance(value, int | float):
        seconds = float(value)
    else:
        match = _DURATION.match(value.strip())
        if not value.strip() or match is None:
            raise ValueError(f"{value!r} is not a duration; write 30s, 10m or 2h30m")
        seconds = sum(float(n) * unit for n, unit in zip(match.groups(), _SECONDS, strict=True) if n)
    if not 0 <= seconds < 10 * 365 * 86_400:
        raise ValueError(f"{value!r} is not a duration between 0 and ten years")
    return seconds


def parse_bytes(value: str | int) -> int:
    """Bytes in `24GB` (thousands), `24GiB` (1,024s) or a plain number of bytes. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a size; write 24GB, 512MB or 16GiB")
    prefix = (match[2] or "").lower()
    base = 1024 if prefix.endswith("i") else 1000
    return int(float(match[1]) * base ** (" kmgt".index(prefix[0]) if prefix else 0))


def format_bytes(count: float) -> str:
    """A size for people: `812 B`, `4.2 MB`, `24.0 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def format_duration(seconds: float) -> str:
    """A duration for people: `0.4s`, `42s`, `3m 10s`, `2h 05m`, `4d 03h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600:02d}h"


@dataclass(frozen=True)
class Interval:
    """How often something happens: every so many epochs, batches or seconds (exactly one is set)."""

    epochs: int = 0
    batches: int = 0
    seconds: float = 0.0

    @classmethod
    def parse(cls, value: str) -> Interval:
        """Read `1ep`, `500ba` or a duration such as `10m`. Raises ValueError."""
        text = str(value).strip()
        match = _COUNT.match(text)
        if match and int(match[1]) > 0:
            return cls(epochs=int(match[1])) if match[2] == "ep" else cls(batches=int(match[1]))
        try:
            seconds = 0.0 if match or text.isdigit() else parse_duration(text)
        except ValueError:
            seconds = 0.0
        if seconds <= 0:
            raise ValueError(f"{value!r} is not an interval; write 1ep, 500ba or 10m")
        return cls(seconds=seconds)
