"""NVML as a test tells it: devices, and what happens on them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class FakeNvml:
    """As much of pynvml as we use, with the devices that it is given."""

    def __init__(self, *devices: tuple[Any, Any, int], has_driver: bool = True) -> None:
        self._devices = devices
        self._has_driver = has_driver
        self.inits = 0
        self.processes: dict[int, dict[int, int]] = {}  # bytes by process, by GPU
        self.unseen: dict[int, int] = {}  # bytes that no process accounts for, by GPU
        self.broken: set[int] = set()

    def nvmlInit(self) -> None:
        if not self._has_driver:
            raise RuntimeError("Driver Not Loaded")
        self.inits += 1

    def nvmlShutdown(self) -> None:
        self.inits -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self._devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> Any:
        return self._devices[handle][0]

    def nvmlDeviceGetName(self, handle: int) -> Any:
        return self._devices[handle][1]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        if handle in self.broken:
            raise RuntimeError("GPU is lost")
        used = sum(self.processes.get(handle, {}).values()) + self.unseen.get(handle, 0)
        return SimpleNamespace(total=self._devices[handle][2], used=used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        if handle in self.broken:
            raise RuntimeError("GPU is lost")
        found = self.processes.get(handle, {}).items()
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in found]

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        if handle == 1:
            raise RuntimeError("Not Supported")
        return 64

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.1"
