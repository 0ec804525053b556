"""What is free on a worker while a plan is made."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from fusionq.store.need import Need
from fusionq.store.view import WorkerView, share_of_slot


@dataclass
class Room:
    """The slots, cores, memory, GPUs and shares of GPUs that are free on a worker."""

    worker: WorkerView
    slots: int
    gpus: list[int]
    shares: dict[int, int]
    held_cpus: int = 0
    held_memory: int = 0

    @classmethod
    def of(cls, worker: WorkerView) -> Room:
        return cls(
            worker,
            worker.free_slots,
            list(worker.free_gpus),
            dict(worker.shares),
            worker.held_cpus,
            worker.held_memory,
        )

    def fits(self, need: Need, num_gpus: int) -> bool:
        """Whether the job could start here now."""
        return (
            self.slots > 0
            and has_labels(self.worker, need)
            and _has(self.worker.cpus, self.held_cpus, self._cpus_of(need))
            and _has(self.worker.memory, self.held_memory, need.memory or 0)
            and (not num_gpus or self._gpus_for(need, num_gpus) is not None)
        )

    def take(self, need: Need, num_gpus: int) -> tuple[int, ...]:
        """Use a slot, what the job needs of the host, and the GPUs that it gets, where it needs some."""
        gpus = (self._gpus_for(need, num_gpus) if num_gpus else None) or ()
        self.slots -= 1
        self.held_cpus += self._cpus_of(need)
        self.held_memory += need.memory or 0
        for gpu in gpus:
            if gpu in self.gpus:
                self.gpus.remove(gpu)
            if need.gpu_memory is not None:
                free = self.shares.get(gpu, self.worker.gpu_memory[gpu])
                self.shares[gpu] = free - need.gpu_memory
        return gpus

    def keep_for(self, need: Need) -> None:
        """Let nobody after it share a GPU that a job waits for: it might wait for ever."""
        memory = self.worker.gpu_memory
        self.shares = {
            gpu: free for gpu, free in self.shares.items() if memory.get(gpu, 0) < (need.gpu_memory or 0)
        }

    def gather_for(self, need: Need, num_gpus: int) -> None:
        """Keep what is free here, and a slot, for a large job that waits until there is enough."""
        self.slots = 0 if need.cpus or need.memory else self.slots - 1
        if num_gpus:
            self.gpus, self.shares = [], {}

    def _cpus_of(self, need: Need) -> int:
        return need.cpus or share_of_slot(self.worker.cpus or 0, self.worker.slots)

    def _gpus_for(self, need: Need, number: int) -> tuple[int, ...] | None:
        """The GPUs that the job would get. It shares the fullest one, so that others stay whole."""
        whole = [gpu for gpu in self.gpus if is_of_type(self.worker, gpu, need)]
        if need.gpu_memory is None:
            return tuple(whole[:number]) if len(whole) >= number else None
        shared = {gpu: free for gpu, free in self.shares.items() if is_of_type(self.worker, gpu, need)}
        for free in (shared, {gpu: self.worker.gpu_memory[gpu] for gpu in whole}):
            fitting = [(size, gpu) for gpu, size in free.items() if size >= need.gpu_memory]
            if fitting:
                return (min(fitting)[1],)
        return None


def _has(total: int | None, held: int, wanted: int) -> bool:
    return total is None or held + wanted <= total


# --- what a worker has, free or not -------------------------------------------------------------------


def has_labels(worker: WorkerView, need: Need) -> bool:
    return worker.labels.issuperset(need.labels)


def is_of_type(worker: WorkerView, gpu: int, need: Need) -> bool:
    """Whether a GPU is one of the kinds that the job asks for."""
    if not need.gpu_type:
        return True
    name = worker.gpu_names.get(gpu, "")
    return any(kind in name for kind in need.gpu_type)


def gpus_of_type(worker: WorkerView, need: Need) -> list[int]:
    return [gpu for gpu in worker.gpu_memory if is_of_type(worker, gpu, need)]


def could_hold(worker: WorkerView, need: Need, num_gpus: int) -> bool:
    """Whether the job would fit if nothing else ran there."""
    suitable = gpus_of_type(worker, need)
    return (
        has_labels(worker, need)
        and len(suitable) >= num_gpus
        and _has(worker.cpus, 0, need.cpus or 0)
        and _has(worker.memory, 0, need.memory or 0)
        and (
            not num_gpus
            or need.gpu_memory is None
            or any(worker.gpu_memory[gpu] >= need.gpu_memory for gpu in suitable)
        )
    )


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
