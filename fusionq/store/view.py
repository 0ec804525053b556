"""What the planner looks at, read in one round trip however many jobs wait."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fusionq.store.scripts import Scripts
from fusionq.store.workers import WorkerRecord, worker_record

FAIR = "fair"  # at one priority, whoever has fewer jobs assigned or running goes first
FIFO = "fifo"  # at one priority, whoever was submitted first

_SUBMISSIONS = 10_000_000_000  # how far apart two priorities stand in a lane


class Need(NamedTuple):
    """What the jobs of a lane have in common, which is all that the planner asks of them."""

    queue: str = "default"
    user: str = ""
    gpus: str = "auto"
    gpu_memory: int | None = None  # bytes of a GPU that it shares; None: it needs a GPU to itself

    @classmethod
    def of_lane(cls, lane: str) -> Need:
        queue, user, gpus, gpu_memory = json.loads(lane)
        return cls(queue, user, gpus or "auto", int(gpu_memory or 0) or None)


class QueuedJob(NamedTuple):
    id: str
    priority: int
    sequence: int


@dataclass(frozen=True)
class Lane:
    """Queued jobs of one need, by priority and submission: the first of them, and how many there are."""

    need: Need
    jobs: tuple[QueuedJob, ...]
    length: int


@dataclass(frozen=True)
class View:
    """Living workers by name, and of each lane as many jobs as could start now."""

    lanes: Sequence[Lane] = ()
    workers: Sequence[WorkerRecord] = ()
    usage: Mapping[str, int] = field(default_factory=dict)  # jobs that are assigned or running, by user
    paused: Mapping[str, str] = field(default_factory=dict)  # why, by queue
    is_fair: bool = True


def read_view(scripts: Scripts) -> View:
    """All of it at one moment."""
    seen = json.loads(scripts.run("view"))
    return View(
        lanes=[_lane(lane["lane"], lane["jobs"], lane["length"]) for lane in seen["lanes"]],
        workers=sorted((_worker(worker) for worker in seen["workers"]), key=lambda worker: worker.name),
        usage={user: int(count) for user, count in _pairs(seen["usage"]).items()},
        paused=_pairs(seen["paused"]),
        is_fair=seen["order"] != FIFO,
    )


def _lane(lane: str, jobs: Sequence[str], length: int) -> Lane:
    return Lane(Need.of_lane(lane), tuple(_job(*pair) for pair in _pairs(jobs).items()), length)


def _job(job_id: str, score: str) -> QueuedJob:
    """Its place in the lane says its priority and its sequence."""
    place = float(score)
    priority = -math.floor(place / _SUBMISSIONS)
    return QueuedJob(job_id, priority, int(place + priority * _SUBMISSIONS))


def _worker(seen: Mapping[str, Any]) -> WorkerRecord:
    return worker_record(
        seen["name"], _pairs(seen["fields"]), seen["jobs"], _pairs(seen["gpus"]), is_alive=True
    )


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    """What Redis lists as key, value, …; an empty list comes out of Lua as {}."""
    return dict(zip(flat[0::2], flat[1::2], strict=True)) if flat else {}
