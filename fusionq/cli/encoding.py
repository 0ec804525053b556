"""What is written where a terminal takes less than Unicode."""

from __future__ import annotations

import codecs
import io
import os
import sys

# What this program itself writes beyond ASCII, but for what is drawn (see `bars.can_draw`).
IN_ASCII = {"→": "->", "…": "...", "×": "x", "°": "", "–": "-", "⚠": "!"}
SIMILAR = "fusionq.similar"  # the name of this way to encode
ASCII = "fusionq_ascii"  # by its own name click takes it for a mistake, and writes UTF-8


def suit_streams() -> None:
    """Writes something similar for what a stream cannot hold, else a ?.

    LC_ALL=C asks for ASCII on a terminal, which Python overrides; a pipe is for a program, which wants all.
    """
    codecs.register_error(SIMILAR, _similar)
    codecs.register(_find)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            asks = (
                os.environ.get("LC_ALL") in ("C", "POSIX") or codecs.lookup(stream.encoding).name == "ascii"
            )
            is_ascii = asks and stream.isatty()
            stream.reconfigure(encoding=ASCII if is_ascii else stream.encoding, errors=SIMILAR)


def _wants_ascii(stream: io.TextIOWrapper) -> bool:
    return os.environ.get("LC_ALL") in ("C", "POSIX") or codecs.lookup(stream.encoding).name == "ascii"


def _similar(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(character, "?") for character in text), error.end


def _find(name: str) -> codecs.CodecInfo | None:
    if name != ASCII:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        found.streamreader,
        found.streamwriter,
        found.incrementalencoder,
        found.incrementaldecoder,
        name=ASCII,
    )
