"""What the planner looks at, read in one round trip however many jobs wait."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from fusionq.store.scripts import Scripts
from fusionq.store.workers import shares

FAIR = "fair"  # at one priority, whoever has fewer jobs assigned or running goes first
FIFO = "fifo"  # at one priority, whoever was submitted first

_SUBMISSIONS = 10_000_000_000  # how far apart two priorities stand in a lane


class Need(NamedTuple):
    """What the jobs of a lane have in common, which is all that the planner asks of them."""

    queue: str = "default"
    user: str = ""
    gpus: str = "auto"
    gpu_memory: int | None = None  # bytes of a GPU that it shares; None: it needs a GPU to itself


class QueuedJob(NamedTuple):
    id: str
    priority: int
    sequence: int


@dataclass(frozen=True)
class Lane:
    """Queued jobs of one need: the first of them, by priority and submission."""

    need: Need
    jobs: tuple[QueuedJob, ...]


@dataclass(frozen=True)
class WorkerView:
    """A living worker: what it has, and what of it is free. Of one without a free slot, nothing is."""

    name: str
    accepting: bool
    queues: tuple[str, ...]  # those named earlier go first
    gpu_memory: Mapping[int, int]  # the bytes that each of its GPUs has in all
    free_slots: int
    free_gpus: tuple[int, ...] = ()
    shares: Mapping[int, int] = field(default_factory=dict)  # bytes that are free, of each shared GPU


@dataclass(frozen=True)
class View:
    """Living workers by name, and of each lane that may go as many jobs as could start now."""

    lanes: Sequence[Lane] = ()
    workers: Sequence[WorkerView] = ()
    usage: Mapping[str, int] = field(default_factory=dict)  # jobs that are assigned or running, by user
    paused: Mapping[str, str] = field(default_factory=dict)  # why, by queue
    is_fair: bool = True


def read_view(scripts: Scripts) -> View:
    """All of it at one moment."""
    seen = json.loads(scripts.run("view"))
    return View(
        lanes=[_lane(*lane) for lane in seen["lanes"]],
        workers=sorted((_worker(*worker) for worker in seen["workers"]), key=lambda worker: worker.name),
        usage={user: int(count) for user, count in _pairs(seen["usage"]).items()},
        paused=_pairs(seen["paused"]),
        is_fair=seen["is_fair"],
    )


@lru_cache(maxsize=1024)
def need_of(lane: str) -> Need:
    """What a lane is called says what its jobs need."""
    queue, user, gpus, gpu_memory = json.loads(lane)
    return Need(queue, user, gpus or "auto", int(gpu_memory or 0) or None)


def _lane(lane: str, jobs: Sequence[str]) -> Lane:
    return Lane(need_of(lane), tuple(_job(*pair) for pair in _pairs(jobs).items()))


def _job(job_id: str, score: str) -> QueuedJob:
    """Its place in the lane says its priority and its sequence."""
    place = float(score)
    priority = -math.floor(place / _SUBMISSIONS)
    return QueuedJob(job_id, priority, int(place + priority * _SUBMISSIONS))


def _worker(
    name: str, accepting: bool, queues: str, gpus: str, free_slots: int, holders: Sequence[str]
) -> WorkerView:
    memory, held = _memory(gpus), _pairs(holders)
    is_open = accepting and free_slots > 0
    taken = {int(gpu): sum(parts) for gpu, names in held.items() if (parts := shares(names))}
    return WorkerView(
        name=name,
        accepting=accepting,
        queues=_names(queues),
        gpu_memory=memory,
        free_slots=free_slots,
        free_gpus=tuple(gpu for gpu in memory if str(gpu) not in held) if is_open else (),
        shares={gpu: memory.get(gpu, 0) - bytes_ for gpu, bytes_ in taken.items()},
    )


# What a worker says of itself stays the same from beat to beat.


@lru_cache(maxsize=1024)
def _names(queues: str) -> tuple[str, ...]:
    return tuple(json.loads(queues))


@lru_cache(maxsize=1024)
def _memory(gpus: str) -> Mapping[int, int]:
    return {gpu["index"]: gpu.get("memory_bytes", 0) for gpu in json.loads(gpus)}


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    """What Redis lists as key, value, …; nothing at all comes out of Lua as {} or false."""
    return dict(zip(flat[0::2], flat[1::2], strict=True)) if flat else {}
