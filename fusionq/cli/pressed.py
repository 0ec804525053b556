"""The keys that somebody presses, one at a time and without Enter."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import sys
import termios
import tty
from types import TracebackType
from typing import Any

UP, DOWN, LEAVE, OUTPUT, CANCEL, FILTER, HELP = "up", "down", "leave", "output", "cancel", "filter", "help"
ENTER, ESCAPE, ERASE = "enter", "escape", "erase"
STEPS = {UP: -1, DOWN: 1}

_ARROWS = {"\x1b[A": UP, "\x1bOA": UP, "\x1b[B": DOWN, "\x1bOB": DOWN}
_EDITING = {"\r": ENTER, "\n": ENTER, "\x1b": ESCAPE, "\x7f": ERASE, "\x08": ERASE}
_LETTERS = {"k": UP, "j": DOWN, "q": LEAVE, "l": OUTPUT, "c": CANCEL, "/": FILTER, "?": HELP}
_KEYS = _ARROWS | _EDITING | _LETTERS


# What a terminal sends for the other keys, such as Home, F5 or Alt with a letter.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\x1b\[O])", re.DOTALL)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
REST_S = 0.05  # in which the rest of a sequence comes; after that it was the key Esc


class Keys:
    """Within it the terminal hands over each key at once, and Ctrl-C is noted. Stdin is a terminal.

    The error that Ctrl-C raises otherwise is lost where it meets a library that catches all errors, as the
    one does that draws curves. A second one is raised all the same.
    """

    is_interrupted = False

    def __enter__(self) -> Keys:
        self._fd = sys.stdin.fileno()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._unread = ""
        self._before = termios.tcgetattr(self._fd)
        self._wake_out, self._wake_in = os.pipe()
        self._interrupt_before = signal.signal(signal.SIGINT, self._interrupt)
        tty.setcbreak(self._fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._interrupt_before)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def _interrupt(self, *_: Any) -> None:
        signal.signal(signal.SIGINT, self._interrupt_before)
        self.is_interrupted = True
        self.wake()

    def wake(self) -> None:
        """Whoever waits goes on. Of any thread."""
        os.write(self._wake_in, b"x")

    def wait(self, longest_s: float, *, is_typing: bool = False) -> str:
        """Wait up to the next key, `wake` or Ctrl-C.

        Returns the key's name, or ''; a letter itself while typing.
        """
        if not self._unread:
            ready, _, _ = select.select([self._fd, self._wake_out], [], [], longest_s)
            if self._wake_out in ready:
                os.read(self._wake_out, 1024)
            if self._fd not in ready:
                return ""
            if not self._read():
                return LEAVE  # the terminal is gone
        while _BEGUN.match(self._unread) and select.select([self._fd], [], [], REST_S)[0] and self._read():
            pass
        key, self._unread = first_key(self._unread)
        if is_typing:
            return (_ARROWS | _EDITING).get(key, key if key.isprintable() else "")
        return _KEYS.get(key, "")

    def _read(self) -> bool:
        """Returns whether there was anything."""
        data = os.read(self._fd, 1024)
        self._unread += self._decoder.decode(data)
        return bool(data)


def first_key(text: str) -> tuple[str, str]:
    """Returns what one key sent, and the rest: who types fast, or pastes, sends many keys at once."""
    sequence = _SEQUENCE.match(text)
    length = len(sequence[0]) if sequence else 1
    return text[:length], text[length:]
