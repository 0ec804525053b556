"""What a person may have meant by a word that is none of those that are valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

LONGEST_LIST = 16


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of choices where none is near and the list is short."""
    names = sorted(choices)
    near = nearest(word, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; valid here: {', '.join(names)}" if 0 < len(names) <= LONGEST_LIST else ""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice with the same letters, or that looks most alike, or is short, as lr for learning_rate."""
    lowered = {name.lower(): name for name in choices}
    word = word.lower()
    swapped = (name for name in lowered if len(name) == len(word) and sorted(name) == sorted(word))
    short = (name for name in lowered if name in _initials(word) or word in _initials(name))
    alike = next(swapped, None) or next(_alike(word, lowered), None) or next(short, None)
    return lowered[alike] if alike else None


def nearest_part(word: str, choices: Iterable[str]) -> str | None:
    """The nearest choice, or the last one of which the word is a part, as acc of test_accuracy."""
    names = list(choices)
    return nearest(word, names) or next(
        (name for name in reversed(names) if word.lower() in name.lower()), None
    )


def _alike(word: str, choices: Iterable[str]) -> Iterator[str]:
    yield from difflib.get_close_matches(word, choices, n=1, cutoff=0.6)


def _initials(word: str) -> set[str]:
    """`lr` for learning_rate; nothing for a word of one part."""
    parts = [part for part in word.split("_") if part]
    return {"".join(part[0] for part in parts)} if len(parts) > 1 else set()
