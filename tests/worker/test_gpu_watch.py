"""A GPU is given to nobody while something is on it: real processes, and an NVML that is told of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fusionq.worker.hardware import gpu_monitor as gpu_watch
from fusionq.worker.hardware.gpu_monitor import GpuWatch
from fusionq.worker.hardware.nvml import Meter, find_gpus
from fusionq.worker.processes.identity import life_of, mark_of_this_life
from fusionq.worker.processes.tree import ENV_JOB, ENV_SUPERVISOR
from tests.support import is_gone, wait_until
from tests.worker.fake_nvml import FakeNvml

GB = 1_000_000_000
Start = Callable[..., int]


@pytest.fixture(autouse=True)
def unnarrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def nvml() -> FakeNvml:
    return FakeNvml(("GPU-a", "NVIDIA A100", 80 * GB), ("GPU-b", "NVIDIA A100", 80 * GB))


@pytest.fixture
def watch(nvml: FakeNvml) -> GpuWatch:
    return GpuWatch(find_gpus("all", nvml), Meter(nvml))


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process, of a job or of nobody, and says its number."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(job_id: str = "", supervisor: str = "") -> int:
        marks = {ENV_JOB: job_id, ENV_SUPERVISOR: supervisor or mark_of_this_life()} if job_id else {}
        code = "import time; print(flush=True); time.sleep(600)"
        process = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **marks}, stdout=subprocess.PIPE
        )
        assert process.stdout.readline()  # it has its environment by then
        begun.append(process)
        return process.pid

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


# --- what is shown -----------------------------------------------------------------------------------


def test_what_a_gpu_does_is_read(watch: GpuWatch, nvml: FakeNvml):
    nvml.unseen = {0: GB // 2}
    watch.look(dict)
    assert watch.driver == "570.1"
    assert watch.readings_json() == {
        0: {"used_bytes": GB // 2, "use": 97, "temperature": 64},
        1: {"used_bytes": 0, "use": 97, "temperature": None},  # not every GPU tells everything
    }
    assert watch.blocked == {}
    assert [set(gpu) for gpu in watch.to_json()] == [{"index", "uuid", "name", "memory_bytes"}] * 2


def test_a_worker_without_gpus_asks_nobody():
    watch = GpuWatch([], Meter(FakeNvml(has_driver=False)))
    watch.look(dict)
    assert (watch.to_json(), watch.readings_json(), watch.driver) == ([], {}, "")


def test_a_gpu_that_does_not_answer_is_blocked_until_it_does(watch: GpuWatch, nvml: FakeNvml):
    nvml.broken = {1}
    shown = watch.blocked
    watch.look(dict)
    assert shown == {}, "another thread may be reading it"
    assert watch.blocked == {1: "it does not answer: GPU is lost"}
    nvml.broken.clear()
    watch.look(dict)
    assert watch.blocked == {}


# --- whose it is -------------------------------------------------------------------------------------


def test_a_job_that_runs_there_blocks_nothing(watch: GpuWatch, nvml: FakeNvml, start: Start):
    nvml.processes = {0: {start("abc"): GB}}
    watch.look(lambda: {0: {"abc"}})
    assert watch.blocked == {}


def test_what_a_job_left_behind_is_named_and_killed_and_the_gpu_is_free_again(
    watch: GpuWatch, nvml: FakeNvml, start: Start
):
    pid = start("abc")
    nvml.processes = {0: {pid: 3 * GB}}
    watch.look(lambda: {0: {"next"}})
    assert watch.blocked[0].startswith(f"process {pid} (python")
    assert watch.blocked[0].endswith(" of job abc, which is over, uses 3.0 GB")
    assert watch.to_json()[0]["blocked"] == watch.blocked[0]
    wait_until(lambda: is_gone(pid), what="the end of what was left")
    watch.look(dict)
    assert "which is ending" in watch.blocked[0]
    nvml.processes = {}
    watch.look(dict)
    assert watch.blocked == {}


def test_a_job_on_a_gpu_that_it_has_not_got_is_named(watch: GpuWatch, nvml: FakeNvml, start: Start):
    pid = start("abc")
    nvml.processes = {1: {pid: GB}}
    watch.look(lambda: {0: {"abc"}})
    assert "of job abc, which has another GPU, uses 1.0 GB" in watch.blocked[1]
    assert not is_gone(pid)


def test_a_job_that_begins_while_the_driver_is_asked_is_not_taken_for_what_another_left(
    watch: GpuWatch, nvml: FakeNvml, start: Start
):
    pid = start("abc")
    nvml.processes = {0: {pid: GB}}
    held: list[dict[int, set[str]]] = [{}, {0: {"abc"}}]
    watch.look(lambda: held.pop(0))
    assert (watch.blocked, held) == ({}, [])
    assert not is_gone(pid)


def test_a_job_of_another_living_worker_is_not_touched(watch: GpuWatch, nvml: FakeNvml, start: Start):
    machine = mark_of_this_life().rpartition("/")[0]
    other = start()
    pid = start("abc", supervisor=f"{machine}/{life_of(other)}")
    nvml.processes = {0: {pid: GB}}
    watch.look(dict)
    assert watch.blocked == {0: "job abc of another worker uses 1.0 GB"}
    assert not is_gone(pid)


@pytest.mark.parametrize("held", [{}, {0: {"abc"}}])
def test_a_foreign_process_blocks_the_gpu(watch: GpuWatch, nvml: FakeNvml, start: Start, held: Any):
    pid = start()
    nvml.processes = {0: {pid: 2 * GB}}
    watch.look(lambda: held)
    assert watch.blocked[0].startswith(f"process {pid} (python")
    assert watch.blocked[0].endswith(") uses 2.0 GB")


def test_a_number_that_means_nothing_here_is_a_jobs_own_where_a_job_runs(watch: GpuWatch, nvml: FakeNvml):
    nvml.processes = {0: {2**22 + 7: GB}}
    watch.look(lambda: {0: {"abc"}})
    assert watch.blocked == {}
    watch.look(dict)
    assert "which cannot be seen from here" in watch.blocked[0]


def test_memory_that_nobody_accounts_for_blocks_an_idle_gpu(watch: GpuWatch, nvml: FakeNvml):
    nvml.unseen = {0: 5 * GB}
    watch.look(lambda: {0: {"abc"}})
    assert watch.blocked == {}
    watch.look(dict)
    assert watch.blocked == {0: "5.0 GB are in use by nobody that can be seen"}


# --- the policies ------------------------------------------------------------------------------------


def test_what_others_leave_may_be_shared(nvml: FakeNvml, start: Start):
    watch = GpuWatch(find_gpus("all", nvml), Meter(nvml), "share")
    nvml.processes = {0: {start(): 2 * GB + 1}}
    watch.look(dict)
    assert watch.blocked == {}
    assert watch.to_json()[0]["foreign_bytes"] == 2_100_000_000
    nvml.processes = {}
    watch.look(dict)
    assert "foreign_bytes" not in watch.to_json()[0]


def test_others_may_be_ignored(nvml: FakeNvml, start: Start):
    watch = GpuWatch(find_gpus("all", nvml), Meter(nvml), "ignore")
    nvml.processes = {0: {start(): 2 * GB}}
    nvml.unseen = {1: 5 * GB}
    watch.look(dict)
    assert (watch.blocked, watch.foreign_bytes) == ({}, {})


# --- after a job -------------------------------------------------------------------------------------


def test_it_is_waited_until_a_job_is_off_its_gpus(watch: GpuWatch, nvml: FakeNvml, start: Start, monkeypatch):
    pid = start("abc")
    nvml.processes = {0: {pid: GB}, 1: {start(): GB}}
    looks: list[float] = []

    def later(seconds: float) -> None:
        looks.append(seconds)
        nvml.processes.pop(0)

    monkeypatch.setattr(gpu_watch, "time", SimpleNamespace(monotonic=time.monotonic, sleep=later))
    watch.await_clear([0, 1], "abc")
    assert len(looks) == 1


def test_it_is_not_waited_for_ever(watch: GpuWatch, nvml: FakeNvml, start: Start, monkeypatch):
    monkeypatch.setattr(gpu_watch, "CLEAR_WITHIN_S", 0.1)
    nvml.processes = {0: {start("abc"): GB}}
    watch.await_clear([0], "abc")
