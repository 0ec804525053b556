"""Checks of the folders: their owner and permissions, and the room on their disks."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from fusionq.client.doctor.finding import Finding, ok, problem, warning
from fusionq.errors import StoreUnavailableError
from fusionq.spec.settings import Settings
from fusionq.spec.units import format_bytes
from fusionq.store import private_socket
from fusionq.store.embedded import EmbeddedRedis

LEAST_FREE = 1 << 30
FEW_FREE = 10 << 30
OTHERS_WRITE = 0o002


def check_places(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of home and runs, and of the folder of the embedded Redis."""
    for name, folder in (("home", settings.home), ("runs", settings.runs)):
        yield _folder(name, folder)
        yield _room(f"disk of {name}", folder)
    embedded = EmbeddedRedis(settings.home)
    if settings.redis_url is None and embedded.folder.is_dir():
        yield _own(embedded)


def _folder(name: str, folder: Path) -> Finding:
    if not folder.is_dir():
        if os.access(_nearest(folder), os.W_OK):
            return ok(name, f"{folder} is not there yet and can be made")
        return problem(name, f"{folder} cannot be made", f"choose another: FUSIONQ_{name.upper()}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem(name, f"{folder} cannot be written to", f"choose another: FUSIONQ_{name.upper()}")
    if folder.stat().st_mode & OTHERS_WRITE and not folder.stat().st_mode & stat.S_ISVTX:
        return warning(name, f"everybody may write to {folder}", f"chmod o-w {folder}")
    return ok(name, str(folder))


def _room(check: str, folder: Path) -> Finding:
    usage = shutil.disk_usage(_nearest(folder))
    told = f"{format_bytes(usage.free)} of {format_bytes(usage.total)} free"
    if usage.free < LEAST_FREE:
        return problem(check, told, "make room: fusionq clean shows what could go")
    if usage.free < FEW_FREE:
        return warning(check, told, "make room: fusionq clean shows what could go")
    return ok(check, told)


def _own(embedded: EmbeddedRedis) -> Finding:
    try:
        private_socket.check_folder(embedded.folder)
        if embedded.socket.exists():
            private_socket.check_socket(embedded.socket)
    except StoreUnavailableError as error:
        return problem("redis folder", error.message, error.hint)
    return ok("redis folder", f"{embedded.folder} and its socket are this user's alone")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
