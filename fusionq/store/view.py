"""What the planner looks at, read in one round trip however many jobs wait."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from fusionq.store.need import SUBMISSIONS, Need, need_of
from fusionq.store.scripts import Scripts
from fusionq.store.workers import shares

FAIR = "fair"  # at one priority, whoever has fewer jobs assigned or running goes first
FIFO = "fifo"  # at one priority, whoever was submitted first

PATIENCE_S = 600.0

# How what is held of a host stands beside its GPUs.
CPUS = "cpus"
MEMORY = "memory"


class QueuedJob(NamedTuple):
    id: str
    priority: int
    sequence: int


@dataclass(frozen=True)
class Lane:
    """Queued jobs of one need: the first of them, by priority and submission."""

    need: Need
    jobs: tuple[QueuedJob, ...]
    waited_s: float = 0.0  # how long the first has been queued


@dataclass(frozen=True)
class WorkerView:
    """A living worker: what it has, and what of it is free. Of one without a free slot, nothing is.

    Cores and memory of the host are None where a worker does not say what it has.
    """

    name: str
    accepting: bool
    queues: tuple[str, ...]  # those named earlier go first
    gpu_memory: Mapping[int, int]  # the bytes that each of its GPUs has in all
    free_slots: int
    slots: int = 1
    gpu_names: Mapping[int, str] = field(default_factory=dict)  # in small letters
    labels: frozenset[str] = frozenset()
    cpus: int | None = None
    memory: int | None = None
    problem: str = ""  # for which it takes nothing
    held_cpus: int = 0  # by the jobs that run there, at least
    held_memory: int = 0
    free_gpus: tuple[int, ...] = ()
    blocked: Mapping[int, str] = field(default_factory=dict)  # why some GPUs are kept from jobs
    shares: Mapping[int, int] = field(default_factory=dict)  # bytes that are free, of each shared GPU


@dataclass(frozen=True)
class View:
    """Living workers by name, and of each lane that may go as many jobs as could start now."""

    lanes: Sequence[Lane] = ()
    workers: Sequence[WorkerView] = ()
    usage: Mapping[str, int] = field(default_factory=dict)  # jobs that are assigned or running, by user
    paused: Mapping[str, str] = field(default_factory=dict)  # why, by queue
    is_fair: bool = True
    patience_s: float = PATIENCE_S  # how long a job waits for several GPUs until a worker is kept free for it


def read_view(scripts: Scripts) -> View:
    """All of it at one moment."""
    seen = json.loads(scripts.run("view"))
    return View(
        lanes=[_lane(*lane) for lane in seen["lanes"]],
        workers=sorted((_worker(*worker) for worker in seen["workers"]), key=lambda worker: worker.name),
        usage={user: int(count) for user, count in _pairs(seen["usage"]).items()},
        paused=_pairs(seen["paused"]),
        is_fair=seen["is_fair"],
        patience_s=float(seen["patience_s"] or PATIENCE_S),
    )


def _lane(lane: str, jobs: Sequence[str], waited_ms: float) -> Lane:
    return Lane(need_of(lane), tuple(_job(*pair) for pair in _pairs(jobs).items()), waited_ms / 1000)


def _job(job_id: str, score: str) -> QueuedJob:
    """Its place in the lane says its priority and its sequence."""
    place = float(score)
    priority = -math.floor(place / SUBMISSIONS)
    return QueuedJob(job_id, priority, int(place + priority * SUBMISSIONS))


def _worker(
    name: str,
    accepting: bool,
    queues: str,
    gpus: str,
    free_slots: int,
    holders: Sequence[str],
    slots: str,
    own: Sequence[str],
) -> WorkerView:
    memory, held = _memory(gpus), _pairs(holders)
    is_open = accepting and free_slots > 0
    labels, cpus, host_memory, problem = (text or "" for text in own)
    sums = {what: sum(parts) for what, names in held.items() if (parts := shares(names))}
    foreign, blocked = _foreign_bytes(gpus), _blocked(gpus)
    whole = [gpu for gpu in memory if gpu not in foreign and gpu not in blocked]
    taken = {gpu: used for gpu, used in foreign.items() if str(gpu) not in held}
    taken |= {int(gpu): used + foreign.get(int(gpu), 0) for gpu, used in sums.items() if gpu.isdecimal()}
    unasked = int(slots) - free_slots - len(shares(held.get(CPUS, "")))  # jobs that asked for no cores
    return WorkerView(
        name=name,
        accepting=accepting,
        problem=problem,
        queues=_names(queues),
        gpu_memory=memory,
        free_slots=free_slots,
        slots=int(slots),
        gpu_names=_gpu_names(gpus),
        labels=_labels(labels),
        cpus=int(cpus) if cpus else None,
        memory=int(host_memory) if host_memory else None,
        held_cpus=sums.get(CPUS, 0) + unasked * share_of_slot(int(cpus or 0), int(slots)),
        held_memory=sums.get(MEMORY, 0),
        free_gpus=tuple(gpu for gpu in whole if str(gpu) not in held) if is_open else (),
        blocked=blocked,
        shares={gpu: memory.get(gpu, 0) - used for gpu, used in taken.items() if gpu not in blocked},
    )


def share_of_slot(cpus: int, slots: int) -> int:
    """The cores of a job that asks for none."""
    return max(1, cpus // slots)


# What a worker says of itself stays the same from beat to beat.


@lru_cache(maxsize=1024)
def _names(queues: str) -> tuple[str, ...]:
    return tuple(json.loads(queues))


@lru_cache(maxsize=1024)
def _memory(gpus: str) -> Mapping[int, int]:
    return {gpu["index"]: gpu.get("memory_bytes", 0) for gpu in json.loads(gpus)}


@lru_cache(maxsize=1024)
def _gpu_names(gpus: str) -> Mapping[int, str]:
    return {gpu["index"]: gpu.get("name", "").lower() for gpu in json.loads(gpus)}


@lru_cache(maxsize=1024)
def _blocked(gpus: str) -> Mapping[int, str]:
    return {gpu["index"]: gpu["blocked"] for gpu in json.loads(gpus) if gpu.get("blocked")}


@lru_cache(maxsize=1024)
def _foreign_bytes(gpus: str) -> Mapping[int, int]:
    return {gpu["index"]: gpu["foreign_bytes"] for gpu in json.loads(gpus) if gpu.get("foreign_bytes")}


@lru_cache(maxsize=1024)
def _labels(labels: str) -> frozenset[str]:
    return frozenset(json.loads(labels or "[]"))


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    """What Redis lists as key, value, …; nothing at all comes out of Lua as {} or false."""
    return dict(zip(flat[0::2], flat[1::2], strict=True)) if flat else {}
