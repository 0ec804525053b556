"""Checks of Python and of the packages, by what is installed and without importing any."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

import fusionq
from fusionq.client.doctor.finding import Finding, ok, warning
from fusionq.spec.settings import Settings

TORCH = "torch"
OF_QUEUE = ("celery", "kombu", "redis", "pydantic")
OF_TRAINING = (TORCH, "torchvision", "numpy")


def check_versions(settings: Settings) -> Iterator[Finding]:
    """Yields the versions that matter, and whether jobs could run on this machine."""
    yield ok("python", f"{platform.python_version()} on {platform.platform()}")
    yield ok("packages", ", ".join([f"fusionq {fusionq.__version__}", *map(_shown, OF_QUEUE)]))
    if version_of(TORCH):
        yield ok(TORCH, ", ".join(map(_shown, OF_TRAINING)))
    else:
        yield warning(
            TORCH,
            "torch is not installed: this machine submits jobs and runs none",
            "to run some: pip install 'fusionq[worker]'",
        )


def version_of(package: str) -> str:
    """Returns the version of a package, '' where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _shown(package: str) -> str:
    return f"{package} {version_of(package) or 'missing'}"
