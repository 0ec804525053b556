"""The job's end of its lease, without a job."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from fusionq.worker import lease_guard as leash
from tests.support import wait_until


class Channel:
    """Says nothing, and is closed then."""

    def __init__(self) -> None:
        self.is_closed = False
        self.waits: list[float] = []

    def receive(self, timeout_s: float) -> list[dict[str, Any]]:
        self.waits.append(timeout_s)
        self.is_closed = True
        return []


def test_the_end_of_a_long_lease_is_looked_for_every_second_in_case_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch,
):
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda *signals: killed.append(signals))
    before = signal.getsignal(signal.SIGCONT)
    channel = Channel()
    try:
        leash.obey(channel, leash.now() + 3600)
        wait_until(lambda: killed, what="the end without a supervisor")
    finally:
        signal.signal(signal.SIGCONT, before)
    assert killed == [(0, signal.SIGKILL)]
    assert channel.waits == [leash.LOOK_S]
