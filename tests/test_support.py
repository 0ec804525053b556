"""What the other tests lean on."""

from __future__ import annotations

import subprocess

import psutil
import pytest

from tests.support import is_gone


def test_a_process_is_gone_once_it_ended_also_where_it_does_so_during_the_look(
    monkeypatch: pytest.MonkeyPatch,
):
    process = subprocess.Popen(["sleep", "60"])
    known = psutil.Process(process.pid)
    assert not is_gone(process.pid)
    process.kill()
    process.wait()
    assert is_gone(process.pid)
    assert is_gone(known)
    monkeypatch.setattr(psutil.Process, "is_running", lambda _: True)
    assert is_gone(known)
