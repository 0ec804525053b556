"""Text of others made safe to store, to send and to show.

What a job says may hold what no encoding takes (lone surrogates, by which Python carries bytes that are not
UTF-8) and what a terminal obeys (escapes, other control characters, marks that turn the direction of a line).
"""

from __future__ import annotations

import re
from typing import Any

MOST_OF_A_REASON = 500  # characters; the log has all of it

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE_OF_BYTE_0 = 0xDC00  # what a byte became that was no UTF-8, see os.fsdecode


def printable(text: str) -> str:
    """Returns the text with everything that is unsafe written as an escape. Lines and tabs stay."""
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def one_line(text: str, most: int = MOST_OF_A_REASON) -> str:
    """Returns the text safe, in one line, and cut to so many characters."""
    line = printable(" ".join(text[: 10 * most].split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def printable_data(value: Any) -> Any:
    """Returns JSON-like data with every text in it safe, keys included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_data(key): printable_data(item) for key, item in value.items()}
    return [printable_data(item) for item in value] if isinstance(value, list) else value


def text_of(error: BaseException) -> str:
    """Returns what an error says; '' where it cannot even be asked."""
    try:
        return str(error)
    except BaseException:  # its own code failed
        return ""


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if _SURROGATE_OF_BYTE_0 + 0x80 <= code <= _SURROGATE_OF_BYTE_0 + 0xFF:
        code -= _SURROGATE_OF_BYTE_0
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
