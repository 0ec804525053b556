"""What is free on a worker while a plan is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fusionq.store.view import Need
from fusionq.store.workers import WorkerRecord


@dataclass
class Room:
    """The slots, GPUs and shares of GPUs that are free on a worker."""

    worker: WorkerRecord
    slots: int
    gpus: list[int]
    shares: dict[int, int]  # bytes that are free, of each GPU that jobs share

    @classmethod
    def of(cls, worker: WorkerRecord) -> Room:
        memory = worker.gpu_memory if worker.shared_gpus else {}
        shares = {gpu: memory.get(gpu, 0) - taken for gpu, taken in worker.shared_gpus.items()}
        return cls(worker, worker.free_slots, list(worker.free_gpus), shares)

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
        if self.shares:
            memory = self.worker.gpu_memory
            self.shares = {
                gpu: free for gpu, free in self.shares.items() if memory.get(gpu, 0) < (need.gpu_memory or 0)
            }

    def _gpu_for(self, need: Need) -> int | None:
        """The GPU that the job would get. It shares the fullest one, so that others stay whole."""
        if need.gpu_memory is None:
            return self.gpus[0] if self.gpus else None
        memory = self.worker.gpu_memory
        whole = {gpu: memory[gpu] for gpu in self.gpus}
        for free in (self.shares, whole):
            fitting = [(size, gpu) for gpu, size in free.items() if size >= need.gpu_memory]
            if fitting:
                return min(fitting)[1]
        return None


def rooms_of(workers: Sequence[WorkerRecord]) -> dict[str, dict[int, list[Room]]]:
    """The rooms that serve each queue, by the place of the queue in the list of their worker."""
    rooms: dict[str, dict[int, list[Room]]] = {}
    for worker in workers:
        if worker.is_alive and worker.accepting:
            room = Room.of(worker)
            for rank, queue in enumerate(dict.fromkeys(worker.queues)):
                rooms.setdefault(queue, {}).setdefault(rank, []).append(room)
    return rooms


def needed_gpus(need: Need, serving: Iterable[WorkerRecord]) -> int:
    """`auto` is one GPU where any worker of the queue has one, else the CPU."""
    if need.gpus == "auto":
        return int(any(worker.gpus for worker in serving))
    return int(need.gpus)
