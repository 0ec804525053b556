"""Checks of the GPUs by NVML, which opens no context on them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from fusionq.client.doctor.finding import Finding, ok, problem, warning
from fusionq.client.doctor.versions import TORCH, version_of
from fusionq.spec.settings import Settings
from fusionq.spec.units import format_bytes

CHECK = "gpus"


def check_gpus(settings: Settings, nvml: Any = None) -> Iterator[Finding]:
    """Yields the driver and every GPU, and whether the installed torch can use them."""
    try:
        nvml = nvml or importlib.import_module("pynvml")
    except ImportError:
        yield ok(CHECK, "nvidia-ml-py is not installed; it comes with 'fusionq[worker]'")
        return
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        yield ok(CHECK, f"no NVIDIA driver answers ({error}); jobs here run on the CPU")
        return
    try:
        yield from _look(nvml)
    except nvml.NVMLError as error:
        yield problem(CHECK, f"the driver fails: {error}", "nvidia-smi says more; it may need a restart")
    finally:
        nvml.nvmlShutdown()


def _look(nvml: Any) -> Iterator[Finding]:
    cuda = nvml.nvmlSystemGetCudaDriverVersion()
    driver = f"driver {_text(nvml.nvmlSystemGetDriverVersion())}, CUDA {cuda // 1000}.{cuda % 1000 // 10}"
    count = nvml.nvmlDeviceGetCount()
    yield ok(CHECK, f"{count} with {driver}")
    for index in range(count):
        yield _gpu(nvml, index)
    torch = version_of(TORCH)
    if count and "+cpu" in torch:
        yield problem(TORCH, f"torch {torch} knows no GPU", "install torch for CUDA, see pytorch.org")
    elif "+cu" in torch and _cuda_of(torch) > cuda // 1000:
        yield problem(
            TORCH,
            f"torch {torch} needs a newer driver than {driver}",
            "update the driver, or take an older torch",
        )


def _gpu(nvml: Any, index: int) -> Finding:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    name = f"{_text(nvml.nvmlDeviceGetName(handle))}, {format_bytes(memory.total)}"
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    if processes:
        pids = ", ".join(str(process.pid) for process in processes)
        return warning(
            f"gpu {index}", f"{name}; used by processes {pids}", "fusionq workers says by which jobs"
        )
    return ok(f"gpu {index}", f"{name}; free")


def _cuda_of(torch: str) -> int:
    """The major version of CUDA that a torch such as 2.5.1+cu121 was built for."""
    digits = torch.partition("+cu")[2]
    return int(digits[:2]) if digits[:2].isdecimal() else 0


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
