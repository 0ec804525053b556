"""What is free on a worker while a plan is made."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from fusionq.store.view import Need, WorkerView


@dataclass
class Room:
    """The slots, GPUs and shares of GPUs that are free on a worker."""

    worker: WorkerView
    slots: int
    gpus: list[int]
    shares: dict[int, int]

    @classmethod
    def of(cls, worker: WorkerView) -> Room:
        return cls(worker, worker.free_slots, list(worker.free_gpus), dict(worker.shares))

    def fits(self, need: Need, num_gpus: int) -> bool:
        return self.slots > 0 and (not num_gpus or self._gpu_for(need) is not None)

    def take(self, need: Need, num_gpus: int) -> tuple[int, ...]:
        """Use a slot, and the GPU that the job gets, where it needs one."""
        self.slots -= 1
        gpu = self._gpu_for(need) if num_gpus else None
        if gpu is None:
            return ()
        if gpu in self.gpus:
            self.gpus.remove(gpu)
        if need.gpu_memory is not None:
            free = self.shares.get(gpu, self.worker.gpu_memory[gpu])
            self.shares[gpu] = free - need.gpu_memory
        return (gpu,)

    def keep_for(self, need: Need) -> None:
        """Let nobody after it share a GPU that a job waits for: it might wait for ever."""
        memory = self.worker.gpu_memory
        self.shares = {
            gpu: free for gpu, free in self.shares.items() if memory.get(gpu, 0) < (need.gpu_memory or 0)
        }

    def _gpu_for(self, need: Need) -> int | None:
        """The GPU that the job would get. It shares the fullest one, so that others stay whole."""
        if need.gpu_memory is None:
            return self.gpus[0] if self.gpus else None
        whole = {gpu: self.worker.gpu_memory[gpu] for gpu in self.gpus}
        for free in (self.shares, whole):
            fitting = [(size, gpu) for gpu, size in free.items() if size >= need.gpu_memory]
            if fitting:
                return min(fitting)[1]
        return None


def rooms_of(workers: Sequence[WorkerView]) -> dict[str, dict[int, list[Room]]]:
    """Where each queue finds a free slot, by the place of the queue in the list of the worker."""
    rooms: dict[str, dict[int, list[Room]]] = {}
    for worker in workers:
        if worker.accepting and worker.free_slots:
            room = Room.of(worker)
            for rank, queue in enumerate(dict.fromkeys(worker.queues)):
                rooms.setdefault(queue, {}).setdefault(rank, []).append(room)
    return rooms


def queues_with_gpus(workers: Iterable[WorkerView]) -> set[str]:
    return {queue for worker in workers if worker.accepting and worker.gpu_memory for queue in worker.queues}


def needed_gpus(need: Need, with_gpus: Container[str]) -> int:
    """`auto` is one GPU where any worker of the queue has one, else the CPU."""
    if need.gpus == "auto":
        return int(need.queue in with_gpus)
    return int(need.gpus)
