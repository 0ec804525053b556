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
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Finding:
    """What a look at one GPU found: why it is kept from jobs, or what others use of one that is shared."""

    blocked: str = ""
    foreign_bytes: int = 0


class GpuWatch:
    """`foreign` says what becomes of a GPU that others compute on, too (see `fusionq.worker.options`)."""

    def __init__(self, gpus: Sequence[Gpu], meter: Meter | None = None, foreign: str = SKIP_FOREIGN) -> None:
        self._gpus = list(gpus)
        self._meter = meter or Meter()
        self._foreign = foreign
        self._lock = threading.Lock()
        # Other threads read these meanwhile, so each look makes new ones.
        self.readings: dict[int, Reading] = {}
        self.blocked: dict[int, str] = {}  # why, by GPU
        self.foreign_bytes: dict[int, int] = {}  # what others use, where we share with them
        self.driver = self._meter.driver() if self._gpus else ""

    def look(self, held: Callable[[], Mapping[int, Collection[str]]]) -> None:
        """Look at every GPU; `held` returns the ids of the jobs that run on it.

        A driver may take long to answer, and jobs begin and end meanwhile: who held a GPU before or after
        that may be on it.
        """
        with self._lock:
            before = held()
            readings = {gpu.index: self._read(gpu) for gpu in self._gpus}
            holders = _joined(before, held())
            running = {job_id for ids in holders.values() for job_id in ids}
            blocked, foreign_bytes = {}, {}
            for gpu in self._gpus:
                found = self._judge(gpu, readings[gpu.index], holders.get(gpu.index, ()), running)
                if found.blocked:
                    blocked[gpu.index] = found.blocked
                if found.foreign_bytes:
                    foreign_bytes[gpu.index] = found.foreign_bytes
                self._tell(gpu, found.blocked)
            self.readings = {index: one for index, one in readings.items() if isinstance(one, Reading)}
            self.blocked, self.foreign_bytes = blocked, foreign_bytes

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

    def _read(self, gpu: Gpu) -> Reading | str:
        """Returns what is on it, or why nobody knows."""
        try:
            return self._meter.read(gpu)
        except Exception as error:
            return f"it does not answer: {error}"

    def _judge(
        self, gpu: Gpu, reading: Reading | str, holders: Collection[str], running: Collection[str]
    ) -> _Finding:
        """Returns what keeps it from jobs; what a job left behind is killed."""
        if isinstance(reading, str):
            return _Finding(reading)
        owners = {pid: owner_of(pid, holders, running) for pid in reading.processes}
        for pid, owner in owners.items():
            if owner.kind == DYING:
                return _Finding(_uses(owner, reading.processes[pid]))
            if owner.kind == LEFTOVER:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                return _Finding(_uses(owner, reading.processes[pid]))
        # Of a job in a container the driver tells numbers that mean nothing here.
        alien = (FOREIGN,) if holders else (FOREIGN, UNSEEN)
        others = [pid for pid, owner in owners.items() if owner.kind in alien]
        if others and self._foreign == SHARE_WITH_FOREIGN:
            used = sum(reading.processes[pid] for pid in others)
            return _Finding(foreign_bytes=-(-used // ROUND_TO) * ROUND_TO)
        if others and self._foreign != IGNORE_FOREIGN:
            return _Finding(_uses(owners[others[0]], reading.processes[others[0]]))
        is_idle = not holders and not reading.processes
        if is_idle and reading.used_bytes > UNSEEN_BYTES and self._foreign == SKIP_FOREIGN:
            return _Finding(f"{format_bytes(reading.used_bytes)} are in use by nobody that can be seen")
        return _Finding()

    def _tell(self, gpu: Gpu, reason: str) -> None:
        before = self.blocked.get(gpu.index, "")
        if reason and not before:
            log.warning("GPU %d (%s) is kept from jobs: %s", gpu.index, gpu.name, reason)
        elif before and not reason:
            log.info("GPU %d (%s) is free again", gpu.index, gpu.name)


def _joined(*held: Mapping[int, Collection[str]]) -> dict[int, set[str]]:
    """Returns the jobs of each GPU in any of these."""
    found: dict[int, set[str]] = {}
    for one in held:
        for gpu, job_ids in one.items():
            found.setdefault(gpu, set()).update(job_ids)
    return found


def _uses(owner: Owner, used: int) -> str:
    return f"{owner.words} uses {format_bytes(used)}" if used else f"{owner.words} is on it"
