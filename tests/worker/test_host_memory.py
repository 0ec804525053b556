"""The host's memory: how much there is, and how much a job uses of it."""

from __future__ import annotations

import os

from fusionq.worker.hardware import host as host_memory
from fusionq.worker.hardware.host import MemoryLimit, memory_of


def test_a_container_has_no_more_than_it_is_allowed(tmp_path, monkeypatch):
    whole = host_memory.host_memory()
    assert whole > 0
    (tmp_path / "memory.max").write_text("1000000\n")
    monkeypatch.setattr(host_memory, "_CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "gone"))
    assert host_memory.host_memory() == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert host_memory.host_memory() >= whole


def test_what_processes_use_is_summed_up_and_those_that_are_gone_use_nothing():
    assert memory_of([os.getpid()]) > 1_000_000
    assert memory_of([]) == memory_of([2**22 + 1]) == 0


def test_what_exceeds_the_limit_is_said_in_words():
    assert MemoryLimit(None).excess_of(lambda: [os.getpid()]) == ""
    assert MemoryLimit(1 << 50).excess_of(lambda: [os.getpid()]) == ""
    said = MemoryLimit(1_000_000).excess_of(lambda: [os.getpid()])
    assert said.startswith("it used ")
    assert said.endswith(" of memory; it asked for 1.0 MB")


def test_it_looks_no_more_than_once_a_second():
    limit = MemoryLimit(1_000_000)
    assert limit.excess_of(lambda: [os.getpid()])
    assert limit.excess_of(lambda: [os.getpid()]) == ""
