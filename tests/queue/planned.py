"""Jobs and workers as the planner sees them, made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.view import Lane, Need, QueuedJob, View
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
) -> JobRecord:
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
        gpus=tuple({"index": index, "name": "GPU", "memory_bytes": sizes[index]} for index in range(gpus)),
        jobs=tuple(jobs),
        busy_gpus=tuple(sorted({*busy_gpus, *(shared_gpus or {})})),
        seen_at=0.0,
        is_alive=is_alive,
        shared_gpus=shared_gpus or {},
    )


def need_of(record: JobRecord) -> Need:
    return Need(record.queue, record.user, record.gpus, record.gpu_memory)


def view(
    jobs: Iterable[JobRecord],
    workers: Sequence[WorkerRecord],
    *,
    usage: Mapping[str, int] | None = None,
    paused: Mapping[str, str] | None = None,
    is_fair: bool = True,
    most: int | None = None,
) -> View:
    """These jobs in their lanes, of each at most so many."""
    lanes: dict[Need, list[QueuedJob]] = {}
    for each in sorted(jobs, key=lambda record: (-record.priority, record.sequence)):
        lanes.setdefault(need_of(each), []).append(QueuedJob(each.id, each.priority, each.sequence))
    return View(
        lanes=[Lane(need, tuple(there[:most]), len(there)) for need, there in lanes.items()],
        workers=[each for each in workers if each.is_alive],
        usage=usage or {},
        paused=paused or {},
        is_fair=is_fair,
    )
