"""What a job ran with: versions, host, device, seed and data."""

from __future__ import annotations

import platform
import socket
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.devices import name_of

PACKAGES = ("fusionq", "torch", "torchvision", "numpy")


def describe_environment(workdir: Path, device: torch.device, seed: int, data: str) -> dict[str, Any]:
    """The content of environment.json."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "device": name_of(device),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "data": data,
        "workdir": str(workdir),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
