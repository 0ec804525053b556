"""The GPUs of this machine, and what happens on them, by NVML or its like: no context, no GPU memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fusionq.errors import UsageError
from fusionq.worker.hardware.amd import AmdAsNvml
from fusionq.worker.hardware.apple import AppleAsNvml, has_apple_gpu
from fusionq.worker.options import ALL_GPUS, ENV_GPUS, NO_GPUS, option

log = logging.getLogger("fusionq.worker")

_CORE = 0  # NVML_TEMPERATURE_GPU


@dataclass(frozen=True)
class Gpu:
    """A GPU as NVML numbers it. Memory in bytes."""

    index: int
    uuid: str
    name: str
    memory_bytes: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """What a GPU does at a moment. None is what it does not tell."""

    used_bytes: int
    use: int | None = None  # percent of the time
    temperature: int | None = None  # degrees Celsius
    processes: Mapping[int, int] = field(default_factory=dict)  # bytes by the number of a computing process

    def to_json(self) -> dict[str, Any]:
        return {"used_bytes": self.used_bytes, "use": self.use, "temperature": self.temperature}


def find_gpus(chosen: str, nvml: Any = None) -> list[Gpu]:
    """The GPUs that a worker may use: `chosen` is all, none, or numbers such as 0,2. Raises UsageError.

    `nvml` is the pynvml module or anything with its functions; without a driver there are no GPUs.
    """
    if chosen == NO_GPUS:
        return []
    present = _all_gpus(nvml or gpu_library())
    if chosen == ALL_GPUS:
        return present
    wanted = [int(part) for part in chosen.split(",")]
    missing = [index for index in wanted if index not in {gpu.index for gpu in present}]
    if missing:
        numbers = ", ".join(str(gpu.index) for gpu in present) or "none"
        raise UsageError(
            f"{option(ENV_GPUS)} this machine has no GPU {missing[0]}", hint=f"it has: {numbers}"
        )
    return [gpu for gpu in present if gpu.index in wanted]


def visible_devices(gpus: list[Gpu]) -> dict[str, str]:
    """The environment that shows a job exactly these GPUs. Their UUIDs mean the same in every numbering.

    ROCm knows its GPUs by number here, and takes an empty list for all of them.
    """
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus),
        "HIP_VISIBLE_DEVICES": ",".join(str(gpu.index) for gpu in gpus) or "-1",
    }


class Meter:
    """Reads GPUs again and again; NVML stays open for it from the first reading on."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._is_open = False

    def driver(self) -> str:
        """The version of the driver; '' where nobody says."""
        return _text(_if_told(lambda: self._opened().nvmlSystemGetDriverVersion()) or "")

    def read(self, gpu: Gpu) -> Reading:
        """Raises whatever NVML does where the GPU does not answer."""
        nvml = self._opened()
        handle = nvml.nvmlDeviceGetHandleByIndex(gpu.index)
        processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return Reading(
            used_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).used),
            use=_if_told(lambda: int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            temperature=_if_told(lambda: int(nvml.nvmlDeviceGetTemperature(handle, _CORE))),
            processes={process.pid: int(process.usedGpuMemory or 0) for process in processes},
        )

    def _opened(self) -> Any:
        if not self._is_open:
            self._nvml = self._nvml or gpu_library()
            self._nvml.nvmlInit()
            self._is_open = True
        return self._nvml


def _if_told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # not every GPU tells everything
        return None


def _all_gpus(nvml: Any) -> list[Gpu]:
    if nvml is None:
        return []
    try:
        nvml.nvmlInit()
    except Exception:  # no driver, or no permission: this machine has no GPU for us
        return []
    try:
        found = [gpu for index in range(nvml.nvmlDeviceGetCount()) if (gpu := _gpu(nvml, index))]
    finally:
        nvml.nvmlShutdown()
    return [gpu for gpu in found if _is_visible(gpu, os.environ)]


def _gpu(nvml: Any, index: int) -> Gpu | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        return Gpu(
            index=index,
            uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
            name=_text(nvml.nvmlDeviceGetName(handle)),
            memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        )
    except Exception as error:  # one broken GPU must not keep the others idle
        log.warning("GPU %d does not answer and is left out: %s", index, error)
        return None


def _is_visible(gpu: Gpu, environ: Mapping[str, str]) -> bool:
    """Whoever started the worker may have narrowed its GPUs already."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return True
    names = [part.strip() for part in visible.split(",")]
    return str(gpu.index) in names or any(name and gpu.uuid.startswith(name) for name in names)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def gpu_library() -> Any:
    """pynvml, or what answers like it for GPUs of AMD or Apple; None where there is nothing to ask."""
    if has_apple_gpu():
        return AppleAsNvml()
    for library in (_amd(), _pynvml()):
        if library is not None and _has_gpus(library):
            return library
    return _pynvml()


def _has_gpus(library: Any) -> bool:
    try:
        library.nvmlInit()
        try:
            return library.nvmlDeviceGetCount() > 0
        finally:
            library.nvmlShutdown()
    except Exception:
        return False


def _pynvml() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


def _amd() -> Any:
    try:
        import amdsmi
    except Exception:  # without its driver the import itself fails
        return None
    return AmdAsNvml(amdsmi)
