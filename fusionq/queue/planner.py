"""Which pending job goes to which worker now, and why the others wait.

A pure function: no clock, no Redis, no Celery. It is the only place that decides about order and room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fusionq.spec.record import JobRecord
from fusionq.store.workers import WorkerRecord

START_A_WORKER = "start one: fusionq worker"


@dataclass(frozen=True)
class Assignment:
    job_id: str
    worker: str
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What to assign, and for each job that stays the reason in words."""

    assignments: list[Assignment] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class _Room:
    """What is still free on a worker while the plan is made."""

    worker: WorkerRecord
    slots: int
    gpus: list[int]


def plan(pending: Sequence[JobRecord], workers: Sequence[WorkerRecord]) -> Plan:
    """Assign pending jobs in their order (higher priority first, then first come) to workers with room."""
    rooms = [_Room(w, w.free_slots, list(w.free_gpus)) for w in workers if w.is_alive and w.accepting]
    result = Plan()
    ahead: Counter[str] = Counter()  # jobs that wait, by queue
    for job in sorted(pending, key=lambda job: (-job.priority, job.sequence)):
        serving = [room for room in rooms if job.queue in room.worker.queues]
        fitting = [room for room in serving if room.slots > 0 and _has_gpus(job, room, serving)]
        if fitting:
            # The emptiest worker: jobs spread, and each gets more of its machine.
            result.assignments.append(_take(job, max(fitting, key=lambda room: (len(room.gpus), room.slots))))
        else:
            result.reasons[job.id] = _why(job, serving, ahead[job.queue], workers)
            ahead[job.queue] += 1
    return result


def _needed_gpus(job: JobRecord, serving: Sequence[_Room]) -> int:
    """`auto` is one GPU where any worker of the queue has one, else the CPU."""
    if job.gpus == "auto":
        return int(any(room.worker.gpus for room in serving))
    return int(job.gpus)


def _has_gpus(job: JobRecord, room: _Room, serving: Sequence[_Room]) -> bool:
    return len(room.gpus) >= _needed_gpus(job, serving)


def _take(job: JobRecord, room: _Room) -> Assignment:
    count = _needed_gpus(job, [room])
    gpus, room.gpus = tuple(room.gpus[:count]), room.gpus[count:]
    room.slots -= 1
    return Assignment(job.id, room.worker.name, gpus)


def _why(job: JobRecord, serving: Sequence[_Room], ahead: int, workers: Sequence[WorkerRecord]) -> str:
    if not any(worker.is_alive for worker in workers):
        return f"no worker is alive; {START_A_WORKER}"
    if not serving:
        if any(worker.is_alive and job.queue in worker.queues for worker in workers):
            return f"the workers of the queue {job.queue!r} are starting or stopping"
        return f"no worker serves the queue {job.queue!r}; {START_A_WORKER} --queues {job.queue}"
    needed = _needed_gpus(job, serving)
    most = max(len(room.worker.gpus) for room in serving)
    if needed > most:
        return f"needs {needed} GPU; no worker alive has one"
    place = f"{ahead} ahead of it" if ahead else "it is next"
    return f"waits for a free {'GPU' if needed else 'slot'}, {place}"
