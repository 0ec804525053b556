"""Nobody who lives is taken for dead."""

from __future__ import annotations

import os
import subprocess

import psutil
import pytest

from fusionq.worker.processes.identity import (
    has_ended,
    is_known_dead,
    life_of,
    mark_of_this_life,
    this_life,
    this_machine,
)
from tests.support import wait_until


def test_a_process_that_lives_is_not_dead():
    assert not is_known_dead(this_machine(), this_life())
    assert not has_ended(mark_of_this_life())


def test_a_process_that_died_is_dead_also_while_nobody_has_asked_how_it_ended():
    process = subprocess.Popen(["true"])
    life = life_of(process.pid)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert is_known_dead(this_machine(), life)
    process.wait()
    assert is_known_dead(this_machine(), life)


def test_another_that_got_its_number_is_told_apart():
    assert is_known_dead(this_machine(), f"{os.getpid()}:1")


def test_on_another_machine_or_in_another_container_nobody_knows():
    assert not is_known_dead("another", f"{os.getpid()}:1")
    assert not has_ended(f"another/{os.getpid()}:1")


def test_a_life_has_the_same_name_when_the_clock_was_set(monkeypatch: pytest.MonkeyPatch):
    before, told = this_life(), psutil.Process().create_time()
    booted_at = psutil.boot_time()
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: booted_at + 3600)
    assert psutil.Process().create_time() > told + 3000, "that is what would deceive us"
    assert this_life() == before


def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(
        "fusionq.worker.processes.identity._beginning", lambda pid: pytest.fail("it may be hidden")
    )
    assert not is_known_dead(this_machine(), "4000000:1")
