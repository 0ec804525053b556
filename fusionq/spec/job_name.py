"""Names of jobs and tags: letters and digits of any script, and some signs."""

from __future__ import annotations

import unicodedata
from pathlib import Path

MOST_LETTERS = 100
SIGNS = " ._+:/@=-"

_LETTER, _MARK, _NUMBER = "LMN"


def composed(text: str) -> str:
    """Returns the text in the form (NFC) that names have; some keyboards and file systems write another."""
    return unicodedata.normalize("NFC", text)


def check_name(text: str) -> str:
    """Returns the name in its composed form (NFC). Raises ValueError, in a sentence, where it is none."""
    text = composed(text)
    if text and not _begins_well(text):
        raise ValueError(f"{text!r} begins with {text[0]!r}; a name begins with a letter or a digit")
    wrong = next((character for character in text if not _is_valid(character)), None)
    if wrong is not None:
        raise ValueError(
            f"{text!r} holds {wrong!r}; a name is made of letters and digits of any script, spaces and "
            ". _ + : / @ = -"
        )
    return text


def name_of_file(path: str | Path) -> str:
    """Returns the file's name as far as a job may be called so; `job` where nothing of it is left."""
    stem = composed(Path(path).stem)
    words = "".join(c if _is_valid(c) and c not in ":/@=" else "-" for c in stem)
    while words and not _begins_well(words):
        words = words[1:]
    return words[: MOST_LETTERS - 10].rstrip() or "job"


def _begins_well(text: str) -> bool:
    return unicodedata.category(text[0])[0] in (_LETTER, _NUMBER)


def _is_valid(character: str) -> bool:
    return character in SIGNS or unicodedata.category(character)[0] in (_LETTER, _MARK, _NUMBER)
