"""The GPU of Apple's own processors as NVML would tell of it: one, with the memory of the machine.

It says nothing of its use, and of no process on it.
"""

from __future__ import annotations

import platform
from types import SimpleNamespace
from typing import Any

import psutil


def has_apple_gpu() -> bool:
    return (platform.system(), platform.machine()) == ("Darwin", "arm64")


class AppleAsNvml:
    """As much of pynvml as we use."""

    def nvmlInit(self) -> None:
        pass

    def nvmlShutdown(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return "apple-gpu"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return f"Apple GPU ({platform.processor() or platform.machine()})"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=psutil.virtual_memory().total, used=0)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return []

    def nvmlSystemGetDriverVersion(self) -> str:
        return platform.mac_ver()[0]
