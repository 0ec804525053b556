"""Which pending job goes to which worker now, and why the others wait.

A pure function: no clock, no Redis, no Celery. It is the only place that decides about order and room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fusionq.spec.record import JobRecord
from fusionq.spec.units import format_bytes
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
    shares: dict[int, int]  # bytes that are free, of each GPU that jobs share

    @classmethod
    def of(cls, worker: WorkerRecord) -> _Room:
        memory = worker.gpu_memory
        shares = {gpu: memory.get(gpu, 0) - taken for gpu, taken in worker.shared_gpus.items()}
        return cls(worker, worker.free_slots, list(worker.free_gpus), shares)

    def gpu_for(self, job: JobRecord) -> int | None:
        """The GPU that the job would get. It shares the fullest one, so that others stay whole."""
        if job.gpu_memory is None:
            return self.gpus[0] if self.gpus else None
        memory = self.worker.gpu_memory
        whole = {gpu: memory[gpu] for gpu in self.gpus}
        for free in (self.shares, whole):
            fitting = [(size, gpu) for gpu, size in free.items() if size >= job.gpu_memory]
            if fitting:
                return min(fitting)[1]
        return None

    def take(self, job: JobRecord, gpu: int) -> None:
        if gpu in self.gpus:
            self.gpus.remove(gpu)
        if job.gpu_memory is not None:
            free = self.shares.get(gpu, self.worker.gpu_memory[gpu])
            self.shares[gpu] = free - job.gpu_memory

    def keep_for(self, job: JobRecord) -> None:
        """Let nobody after it share a GPU that the job waits for: it might wait for ever."""
        memory = self.worker.gpu_memory
        self.shares = {
            gpu: free for gpu, free in self.shares.items() if memory.get(gpu, 0) < (job.gpu_memory or 0)
        }


def plan(pending: Sequence[JobRecord], workers: Sequence[WorkerRecord]) -> Plan:
    """Assign pending jobs in their order (higher priority first, then first come) to workers with room."""
    rooms = [_Room.of(worker) for worker in workers if worker.is_alive and worker.accepting]
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
            for room in serving if _needed_gpus(job, serving) else ():
                room.keep_for(job)
    return result


def _needed_gpus(job: JobRecord, serving: Sequence[_Room]) -> int:
    """`auto` is one GPU where any worker of the queue has one, else the CPU."""
    if job.gpus == "auto":
        return int(any(room.worker.gpus for room in serving))
    return int(job.gpus)


def _has_gpus(job: JobRecord, room: _Room, serving: Sequence[_Room]) -> bool:
    return not _needed_gpus(job, serving) or room.gpu_for(job) is not None


def _take(job: JobRecord, room: _Room) -> Assignment:
    room.slots -= 1
    gpu = room.gpu_for(job) if _needed_gpus(job, [room]) else None
    if gpu is None:
        return Assignment(job.id, room.worker.name, ())
    room.take(job, gpu)
    return Assignment(job.id, room.worker.name, (gpu,))


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
    memory = job.gpu_memory if needed else None
    largest = max((size for room in serving for size in room.worker.gpu_memory.values()), default=0)
    if memory is not None and memory > largest:
        return (
            f"needs {format_bytes(memory)} of one GPU; the largest worker alive has {format_bytes(largest)}"
        )
    place = f"{ahead} ahead of it" if ahead else "it is next"
    if memory is not None:
        return f"waits for {format_bytes(memory)} of a GPU, {place}"
    return f"waits for a free {'GPU' if needed else 'slot'}, {place}"
