"""The keys that somebody presses, one at a time and without Enter."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType

UP, DOWN, LEAVE = "up", "down", "leave"
STEPS = {UP: -1, DOWN: 1}

_KEYS = {"\x1b[A": UP, "\x1bOA": UP, "k": UP, "\x1b[B": DOWN, "\x1bOB": DOWN, "j": DOWN, "q": LEAVE}


class Keys:
    """Within it the terminal hands over each key at once; Ctrl-C stays what it is. Stdin is a terminal."""

    def __enter__(self) -> Keys:
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)
        self._wake_out, self._wake_in = os.pipe()
        tty.setcbreak(self._fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def wake(self) -> None:
        """Whoever waits goes on. Of any thread."""
        os.write(self._wake_in, b"x")

    def wait(self, longest_s: float) -> str:
        """Up to the next key that means something, or `wake`. Returns the key, or ''."""
        ready, _, _ = select.select([self._fd, self._wake_out], [], [], longest_s)
        if self._wake_out in ready:
            os.read(self._wake_out, 1024)
        if self._fd not in ready:
            return ""
        # A key with a name comes as several characters, in one piece.
        return _KEYS.get(os.read(self._fd, 16).decode(errors="replace"), "")
