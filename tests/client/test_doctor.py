"""The doctor names what keeps jobs from running, and nothing that it does not see."""

from __future__ import annotations

import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusionq.client import doctor
from fusionq.client.doctor import examine, gpus, machine, places, versions
from fusionq.client.doctor.finding import OK, PROBLEM, WARNING, Finding
from fusionq.client.doctor.redis_server import check_redis
from fusionq.client.doctor.workers import check_workers
from fusionq.spec.settings import Settings
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import now_ms, register

Usage = namedtuple("Usage", "total used free")


def states(findings) -> dict[str, str]:
    return {finding.check: finding.state for finding in findings}


def one(findings, check: str, state: str) -> Finding:
    [found] = [finding for finding in findings if (finding.check, finding.state) == (check, state)]
    return found


def test_a_sound_installation_has_no_problem(settings: Settings, store: Store, monkeypatch):
    monkeypatch.setattr(places, "LEAST_FREE", 0)
    findings = list(examine(settings.with_redis_url(store.url, {})))
    found = states(findings)
    assert {"redis", "redis rights", "redis persistence", "redis memory", "redis latency", "clock"} <= set(
        found
    )
    assert {"workers", "home", "runs", "disk of home", "python", "packages", "torch"} <= set(found)
    assert PROBLEM not in found.values(), findings


def test_where_no_redis_answers_the_rest_is_examined_all_the_same(settings: Settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    findings = list(examine(settings.with_redis_url(f"redis://127.0.0.1:{port}", {})))
    assert one(findings, "redis", PROBLEM).hint.startswith("start that server")
    assert "home" in states(findings)


def test_a_check_that_fails_itself_is_told_and_the_others_go_on(settings: Settings, monkeypatch):
    def broken(settings: Settings):
        raise RuntimeError("oops")

    monkeypatch.setattr(doctor, "OF_STORE", ())
    monkeypatch.setattr(doctor, "OF_MACHINE", (("a", broken), ("b", versions.check_versions)))
    findings = list(examine(settings))
    assert one(findings, "a", PROBLEM).message == "the check itself failed: RuntimeError: oops"
    assert "python" in states(findings)


# --- Redis -----------------------------------------------------------------------------------------


def test_what_redis_is_set_to_is_told(settings: Settings):
    store = Store.open(settings)
    store.redis.config_set("appendonly", "no")
    store.redis.config_set("maxmemory-policy", "allkeys-lru")
    findings = list(check_redis(store))
    assert one(findings, "redis", OK).message.endswith(store.url)
    assert "appendonly yes" in one(findings, "redis persistence", WARNING).hint
    assert "noeviction" in one(findings, "redis eviction", WARNING).hint
    store.redis.config_set("maxmemory-policy", "noeviction")
    store.redis.config_set("maxmemory", str(store.redis.info("memory")["used_memory"] + 100_000))
    assert "fusionq clean" in one(check_redis(store), "redis memory", WARNING).hint
    store.close()


# --- workers ---------------------------------------------------------------------------------------


def test_a_pool_without_a_living_worker_is_told_with_how_to_start_one(store: Store):
    assert "fusionq worker" in one(check_workers(store), "workers", WARNING).hint


def test_silent_quarantined_old_and_wrong_going_workers_are_named(store: Store):
    for name in ("silent", "ill", "late"):
        register(store, name)
    store.redis.zadd(keys.WORKERS, {"silent": now_ms(store) - 1})
    store.workers.quarantine("ill", "token", "three jobs in a row failed", [])
    store.redis.hset(keys.worker("late"), mapping={"clock": now_ms(store) / 1000 - 3600, "version": "0.0.1"})
    findings = list(check_workers(store))
    told = [finding.message for finding in findings if finding.state == WARNING]
    assert one(findings, "workers", OK).message == "2 alive with 2 slots: ill, late"
    assert any(message.startswith("silent on host has been silent for") for message in told)
    assert "ill is in quarantine: three jobs in a row failed" in told
    assert any(message.startswith("late runs version 0.0.1") for message in told)
    assert (
        "the clock of late on host differs from that of Redis by -3600 s"
        in one(findings, "clock", WARNING).message
    )


# --- the machine -----------------------------------------------------------------------------------


def test_a_full_disk_is_a_problem_and_a_nearly_full_one_a_warning(settings: Settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 1 << 29))
    assert states(places.check_places(settings))["disk of runs"] == PROBLEM
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 5 << 30))
    assert states(places.check_places(settings))["disk of runs"] == WARNING


def test_folders_that_cannot_be_used_are_named(settings: Settings, tmp_path: Path):
    (tmp_path / "file").write_text("")
    found = states(places.check_places(Settings(home=settings.home, runs=tmp_path / "file" / "runs")))
    assert found["home"] == OK
    settings.home.mkdir()
    settings.home.chmod(0o777)
    assert states(places.check_places(settings))["home"] == WARNING


def test_a_redis_folder_that_others_may_enter_is_a_problem(settings: Settings):
    (settings.home / "redis").mkdir(parents=True)
    (settings.home / "redis").chmod(0o755)
    assert "chmod 700" in one(places.check_places(settings), "redis folder", PROBLEM).hint


def test_little_shared_memory_and_few_files_are_warned_of(settings: Settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64 << 20, 0, 64 << 20))
    assert "--shm-size" in one(machine.check_shared_memory(settings), "shared memory", WARNING).hint
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (256, 4096))
    assert states(machine.check_limits(settings)) == {
        "limit of open files": WARNING,
        "limit of processes": WARNING,
    }


def test_a_machine_without_torch_only_submits(settings: Settings, monkeypatch):
    monkeypatch.setattr(versions, "version_of", lambda name: "" if name == "torch" else "1.0")
    assert "runs none" in one(versions.check_versions(settings), "torch", WARNING).message


# --- GPUs ------------------------------------------------------------------------------------------


class FakeNvml(SimpleNamespace):
    """A driver with one H100, on which one process computes."""

    class NVMLError(Exception):
        pass

    def __init__(self, **more) -> None:
        super().__init__(
            nvmlInit=lambda: None,
            nvmlShutdown=lambda: None,
            nvmlSystemGetCudaDriverVersion=lambda: 12040,
            nvmlSystemGetDriverVersion=lambda: b"550.54",
            nvmlDeviceGetCount=lambda: 1,
            nvmlDeviceGetHandleByIndex=lambda index: index,
            nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=80 << 30),
            nvmlDeviceGetName=lambda handle: "NVIDIA H100",
            nvmlDeviceGetComputeRunningProcesses=lambda handle: [SimpleNamespace(pid=os.getpid())],
            **more,
        )


def test_gpus_are_told_with_their_driver_and_who_uses_them(settings: Settings, monkeypatch):
    monkeypatch.setattr(gpus, "version_of", lambda name: "2.5.1+cu121")
    findings = list(gpus.check_gpus(settings, FakeNvml()))
    assert one(findings, "gpus", OK).message == "1 with driver 550.54, CUDA 12.4"
    assert str(os.getpid()) in one(findings, "gpu 0", WARNING).message
    assert "torch" not in states(findings)


@pytest.mark.parametrize(
    ("torch", "words"), [("2.5.1+cpu", "knows no GPU"), ("2.9.0+cu130", "a newer driver")]
)
def test_a_torch_that_cannot_use_the_gpus_is_a_problem(
    settings: Settings, monkeypatch, torch: str, words: str
):
    monkeypatch.setattr(gpus, "version_of", lambda name: torch)
    assert words in one(gpus.check_gpus(settings, FakeNvml()), "torch", PROBLEM).message


def test_a_machine_without_a_driver_is_no_problem(settings: Settings):
    def no_driver() -> None:
        raise FakeNvml.NVMLError("driver not loaded")

    driverless = FakeNvml()
    driverless.nvmlInit = no_driver
    assert "CPU" in one(gpus.check_gpus(settings, driverless), "gpus", OK).message
