"""The token by which training is asked to stop. The engine polls it at batch boundaries."""

from __future__ import annotations


class StopToken:
    """Set it from a signal handler or another thread; training saves its state and returns."""

    def __init__(self) -> None:
        self.requested = False

    def request(self) -> None:
        self.requested = True
