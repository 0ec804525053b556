"""AMD's GPUs as NVML would tell of them, so that nobody else needs to know the difference.

The library is amdsmi, the successor of rocm-smi's, which comes with ROCm
(https://rocm.docs.amd.com/projects/amdsmi/en/latest/reference/amdsmi-py-api.html).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class AmdAsNvml:
    """As much of pynvml as we use, by the functions of the module amdsmi, or of anything that has them."""

    def __init__(self, amdsmi: Any) -> None:
        self._smi = amdsmi

    def nvmlInit(self) -> None:
        self._smi.amdsmi_init()

    def nvmlShutdown(self) -> None:
        self._smi.amdsmi_shut_down()

    def nvmlDeviceGetCount(self) -> int:
        return len(self._smi.amdsmi_get_processor_handles())

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        return self._smi.amdsmi_get_processor_handles()[index]

    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        return self._smi.amdsmi_get_gpu_device_uuid(handle)

    def nvmlDeviceGetName(self, handle: Any) -> str:
        return self._smi.amdsmi_get_gpu_asic_info(handle)["market_name"]

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        kind = self._smi.AmdSmiMemoryType.VRAM
        return SimpleNamespace(
            total=self._smi.amdsmi_get_gpu_memory_total(handle, kind),
            used=self._smi.amdsmi_get_gpu_memory_usage(handle, kind),
        )

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        found = self._smi.amdsmi_get_gpu_process_list(handle)
        return [
            SimpleNamespace(pid=process["pid"], usedGpuMemory=process["memory_usage"]["vram_mem"])
            for process in found
        ]

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        return SimpleNamespace(gpu=self._smi.amdsmi_get_gpu_activity(handle)["gfx_activity"])

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int:
        """Of the hottest place, which every kind of GPU has; `sensor` is NVML's."""
        where, what = self._smi.AmdSmiTemperatureType.HOTSPOT, self._smi.AmdSmiTemperatureMetric.CURRENT
        return self._smi.amdsmi_get_temp_metric(handle, where, what)

    def nvmlSystemGetDriverVersion(self) -> str:
        [first, *_] = self._smi.amdsmi_get_processor_handles()
        return self._smi.amdsmi_get_gpu_driver_info(first)["driver_version"]
