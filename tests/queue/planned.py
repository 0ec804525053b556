"""Jobs and workers as the planner sees them, made up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.need import Need, needs_text
from fusionq.store.need import need_of as read_need
from fusionq.store.view import PATIENCE_S, Lane, QueuedJob, View, WorkerView, share_of_slot
from fusionq.store.workers import WorkerRecord


def job(
    job_id: str,
    *,
    sequence: int = 1,
    priority: int = 0,
    queue: str = "default",
    user: str = "",
    gpus: str = "auto",
    gpu_memory: int | None = None,
    **needs: Any,
) -> JobRecord:
    """`needs` are gpu_type, labels, cpus and memory."""
    return JobRecord(
        id=job_id,
        name=job_id,
        status=Status.QUEUED,
        sequence=sequence,
        priority=priority,
        queue=queue,
        user=user,
        gpus=gpus,
        gpu_memory=gpu_memory,
        needs=needs_text(**{"gpu_type": (), "labels": {}, "cpus": None, "memory": None, **needs}),
    )


def worker(
    name: str = "w",
    *,
    slots: int = 1,
    gpus: int = 0,
    memory: int | Sequence[int] = 80,
    busy_gpus: Sequence[int] = (),
    shared_gpus: Mapping[int, int] | None = None,
    jobs: Sequence[str] = (),
    queues: Sequence[str] = ("default",),
    accepting: bool = True,
    is_alive: bool = True,
    kind: str = "GPU",
    cpus: int = 0,
    host_memory: int = 0,
    labels: Sequence[str] = (),
) -> WorkerRecord:
    sizes = [memory] * gpus if isinstance(memory, int) else memory
    return WorkerRecord(
        name=name,
        host="host",
        pid=1,
        version="0",
        queues=tuple(queues),
        slots=slots,
        accepting=accepting,
        gpus=tuple({"index": index, "name": kind, "memory_bytes": sizes[index]} for index in range(gpus)),
        jobs=tuple(jobs),
        busy_gpus=tuple(sorted({*busy_gpus, *(shared_gpus or {})})),
        seen_at=0.0,
        is_alive=is_alive,
        shared_gpus=shared_gpus or {},
        cpus=cpus,
        memory=host_memory,
        labels=tuple(labels),
    )


def need_of(record: JobRecord) -> Need:
    return read_need(json.dumps([record.queue, record.user, record.gpus, record.gpu_memory, record.needs]))


def seen(record: WorkerRecord) -> WorkerView:
    memory = record.gpu_memory
    is_open = record.accepting and record.free_slots > 0
    return WorkerView(
        name=record.name,
        accepting=record.accepting,
        queues=record.queues,
        gpu_memory=memory,
        free_slots=record.free_slots,
        slots=record.slots,
        gpu_names={gpu["index"]: gpu.get("name", "").lower() for gpu in record.gpus},
        labels=frozenset(record.labels),
        cpus=record.cpus or None,
        memory=record.memory or None,
        held_cpus=len(record.jobs) * share_of_slot(record.cpus, record.slots),
        free_gpus=record.free_gpus if is_open else (),
        shares={gpu: memory[gpu] - taken for gpu, taken in record.shared_gpus.items()} if is_open else {},
    )


def view(
    jobs: Iterable[JobRecord],
    workers: Sequence[WorkerRecord],
    *,
    usage: Mapping[str, int] | None = None,
    paused: Mapping[str, str] | None = None,
    is_fair: bool = True,
    most: int | None = None,
    waited: Mapping[str, float] | None = None,
    patience_s: float = PATIENCE_S,
) -> View:
    """These jobs in their lanes, of each at most so many; `waited` is for how long, by id."""
    lanes: dict[Need, list[QueuedJob]] = {}
    for each in sorted(jobs, key=lambda record: (-record.priority, record.sequence)):
        lanes.setdefault(need_of(each), []).append(QueuedJob(each.id, each.priority, each.sequence))
    return View(
        lanes=[
            Lane(need, tuple(there[:most]), (waited or {}).get(there[0].id, 0.0))
            for need, there in lanes.items()
        ],
        workers=[seen(each) for each in workers if each.is_alive],
        usage=usage or {},
        paused=paused or {},
        is_fair=is_fair,
        patience_s=patience_s,
    )
