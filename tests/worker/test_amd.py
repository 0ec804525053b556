"""GPUs of AMD, through a library that answers as amdsmi does, and of Apple."""

from __future__ import annotations

from enum import Enum
from typing import Any

import psutil
import pytest

from fusionq.worker.hardware import apple
from fusionq.worker.hardware.amd import AmdAsNvml
from fusionq.worker.hardware.nvml import Gpu, Meter, find_gpus, visible_devices

GB = 1_000_000_000


class FakeAmdSmi:
    AmdSmiMemoryType = Enum("AmdSmiMemoryType", "VRAM GTT")
    AmdSmiTemperatureType = Enum("AmdSmiTemperatureType", "EDGE HOTSPOT")
    AmdSmiTemperatureMetric = Enum("AmdSmiTemperatureMetric", "CURRENT MAX")
    has_driver = True

    def amdsmi_init(self) -> None:
        if not self.has_driver:
            raise RuntimeError("AMDSMI_STATUS_DRIVER_NOT_LOADED")

    def amdsmi_shut_down(self) -> None:
        pass

    def amdsmi_get_processor_handles(self) -> list[str]:
        return ["h0", "h1"]

    def amdsmi_get_gpu_device_uuid(self, handle: str) -> str:
        return f"uuid-{handle}"

    def amdsmi_get_gpu_asic_info(self, handle: str) -> dict[str, Any]:
        return {"market_name": "AMD Instinct MI300X"}

    def amdsmi_get_gpu_memory_total(self, handle: str, kind: Enum) -> int:
        return {"VRAM": 192 * GB}[kind.name]

    def amdsmi_get_gpu_memory_usage(self, handle: str, kind: Enum) -> int:
        return {"VRAM": 3 * GB}[kind.name]

    def amdsmi_get_gpu_process_list(self, handle: str) -> list[dict[str, Any]]:
        return [{"pid": 7, "name": "python", "memory_usage": {"vram_mem": 2 * GB, "gtt_mem": 1}}]

    def amdsmi_get_gpu_activity(self, handle: str) -> dict[str, int]:
        return {"gfx_activity": 55, "umc_activity": 3}

    def amdsmi_get_temp_metric(self, handle: str, where: Enum, what: Enum) -> int:
        return {("HOTSPOT", "CURRENT"): 71}[where.name, what.name]

    def amdsmi_get_gpu_driver_info(self, handle: str) -> dict[str, str]:
        return {"driver_version": "6.8.5"}


def test_they_are_found_and_read_as_any_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    library = AmdAsNvml(FakeAmdSmi())
    gpus = find_gpus("all", library)
    assert gpus == [Gpu(n, f"uuid-h{n}", "AMD Instinct MI300X", 192 * GB) for n in range(2)]
    meter = Meter(library)
    assert meter.driver() == "6.8.5"
    reading = meter.read(gpus[1])
    assert (reading.used_bytes, reading.use, reading.temperature) == (3 * GB, 55, 71)
    assert reading.processes == {7: 2 * GB}


def test_without_a_driver_there_are_none():
    smi = FakeAmdSmi()
    smi.has_driver = False
    assert find_gpus("all", AmdAsNvml(smi)) == []


def test_apples_gpu_is_one_with_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(apple.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(apple.platform, "machine", lambda: "arm64")
    [gpu] = find_gpus("all")
    assert gpu.name.startswith("Apple GPU")
    assert gpu.memory_bytes == psutil.virtual_memory().total
    reading = Meter().read(gpu)
    assert (reading.used_bytes, reading.use, reading.temperature, reading.processes) == (0, None, None, {})
    assert visible_devices([gpu])["CUDA_VISIBLE_DEVICES"] == "apple-gpu"


def test_a_job_sees_its_own_by_number_and_without_any_none():
    gpus = [Gpu(1, "uuid-h1", "MI300X", 1), Gpu(3, "uuid-h3", "MI300X", 1)]
    assert visible_devices(gpus)["HIP_VISIBLE_DEVICES"] == "1,3"
    assert visible_devices([])["HIP_VISIBLE_DEVICES"] == "-1"
