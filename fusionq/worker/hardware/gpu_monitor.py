"""Whether the GPUs of a worker are really free, and what keeps one from being given to a job.

A GPU is blocked as long as something is on it that no running job of this worker accounts for: what a job
left behind (it is killed again at each look), or a foreign process. Each heartbeat looks anew.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fusionq.spec.units import format_bytes
from fusionq.worker.hardware.gpu_owners import DYING, FOREIGN, LEFTOVER, OURS, UNSEEN, Owner, owner_of
from fusionq.worker.hardware.nvml import Gpu, Meter, Reading
from fusionq.worker.options import IGNORE_FOREIGN, SHARE_WITH_FOREIGN, SKIP_FOREIGN

log = logging.getLogger("fusionq.worker")

UNSEEN_BYTES = 1 << 30  # what an idle GPU may hold for its driver and a screen
CLEAR_WITHIN_S = 5.0  # the driver takes a moment to give back the memory of a process that was killed
LOOK_S = 0.05
ROUND_TO = 100_000_000  # bytes; a record must not change with every page that somebody else allocates


class GpuWatch:
    """`foreign` says what becomes of a GPU that others compute on, too (see `fusionq.worker.options`)."""

    def __init__(self, gpus: Sequence[Gpu], meter: Meter | None = None, foreign: str = SKIP_FOREIGN) -> None:
        self._gpus = list(gpus)
        self._meter = meter or Meter()
        self._foreign = foreign
        self._lock = threading.Lock()
        self.readings: dict[int, Reading] = {}
        self.blocked: dict[int, str] = {}  # why, by GPU
        self.foreign_bytes: dict[int, int] = {}  # what others use, where we share with them
        self.driver = self._meter.driver() if self._gpus else ""

    def look(self, held: Mapping[int, Collection[str]]) -> None:
        """Look at every GPU; `held` are the ids of the jobs that run on it."""
        running = {job_id for ids in held.values() for job_id in ids}
        with self._lock:
            for gpu in self._gpus:
                self._look_at(gpu, held.get(gpu.index, ()), running)

    def await_clear(self, indices: Collection[int], job_id: str) -> None:
        """After a job: wait a while until nothing of it is on its GPUs. `look` finds what remains."""
        deadline = time.monotonic() + CLEAR_WITHIN_S
        gpus = [gpu for gpu in self._gpus if gpu.index in indices]
        while any(self._holds(gpu, job_id) for gpu in gpus) and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def to_json(self) -> list[dict[str, Any]]:
        """The GPUs for the registry, with what keeps them from jobs."""
        more = {"blocked": self.blocked, "foreign_bytes": self.foreign_bytes}
        return [
            {**gpu.to_json(), **{key: by[gpu.index] for key, by in more.items() if gpu.index in by}}
            for gpu in self._gpus
        ]

    def readings_json(self) -> dict[int, dict[str, Any]]:
        """What they do, by GPU."""
        return {index: reading.to_json() for index, reading in self.readings.items()}

    def _holds(self, gpu: Gpu, job_id: str) -> bool:
        try:
            pids = self._meter.read(gpu).processes
        except Exception:
            return False  # `look` says so
        return any(owner_of(pid, [job_id]).kind in (OURS, DYING) for pid in pids)

    def _look_at(self, gpu: Gpu, holders: Collection[str], running: Collection[str]) -> None:
        self.foreign_bytes.pop(gpu.index, None)
        try:
            reading = self._meter.read(gpu)
        except Exception as error:
            self.readings.pop(gpu.index, None)
            self._block(gpu, f"it does not answer: {error}")
            return
        self.readings[gpu.index] = reading
        self._block(gpu, self._why_not(gpu, reading, holders, running))

    def _why_not(self, gpu: Gpu, reading: Reading, holders: Collection[str], running: Collection[str]) -> str:
        owners = {pid: owner_of(pid, holders, running) for pid in reading.processes}
        for pid, owner in owners.items():
            if owner.kind == DYING:
                return _uses(owner, reading.processes[pid])
            if owner.kind == LEFTOVER:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                return _uses(owner, reading.processes[pid])
        # Of a job in a container the driver tells numbers that mean nothing here.
        alien = (FOREIGN,) if holders else (FOREIGN, UNSEEN)
        others = [pid for pid, owner in owners.items() if owner.kind in alien]
        if others and self._foreign == SHARE_WITH_FOREIGN:
            used = sum(reading.processes[pid] for pid in others)
            self.foreign_bytes[gpu.index] = -(-used // ROUND_TO) * ROUND_TO
        elif others and self._foreign != IGNORE_FOREIGN:
            return _uses(owners[others[0]], reading.processes[others[0]])
        is_idle = not holders and not reading.processes
        if is_idle and reading.used_bytes > UNSEEN_BYTES and self._foreign == SKIP_FOREIGN:
            return f"{format_bytes(reading.used_bytes)} are in use by nobody that can be seen"
        return ""

    def _block(self, gpu: Gpu, reason: str) -> None:
        before = self.blocked.get(gpu.index, "")
        if reason and not before:
            log.warning("GPU %d (%s) is kept from jobs: %s", gpu.index, gpu.name, reason)
        elif before and not reason:
            log.info("GPU %d (%s) is free again", gpu.index, gpu.name)
        if reason:
            self.blocked[gpu.index] = reason
        else:
            self.blocked.pop(gpu.index, None)


def _uses(owner: Owner, used: int) -> str:
    return f"{owner.words} uses {format_bytes(used)}" if used else f"{owner.words} is on it"
