"""What a job ran with: versions, code, host, device, seed and data."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("fusionq", "torch", "torchvision", "numpy")
MOST_DIFF_CHARS = 1_000_000
GIT_TIMEOUT_S = 5.0


def describe_environment(workdir: Path, device: torch.device, seed: int, data_note: str) -> dict[str, Any]:
    """The content of environment.json."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "seed": seed,
        "data": data_note or "as the job file says",
        "workdir": str(workdir),
        "git": _git(workdir),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path) -> dict[str, str] | None:
    commit = _run_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _run_git(folder, "diff", "HEAD") or ""
    return {"commit": commit.strip(), "diff": diff[:MOST_DIFF_CHARS]}


def _run_git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_TIMEOUT_S, env=environ)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
