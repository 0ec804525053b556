"""Which queued job goes to which worker now.

A pure function: no clock, no Redis, no Celery. It is the only place that decides about order and room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from fusionq.queue.room import Room, could_hold, needed_gpus, queues_with_gpus, rooms_of
from fusionq.store.view import Lane, QueuedJob, View


@dataclass(frozen=True)
class Assignment:
    job_id: str
    worker: str
    gpus: tuple[int, ...]


@dataclass
class _Progress:
    """How many jobs of a lane have been placed, and where others of it could be."""

    lane: Lane
    num_gpus: int
    rooms: Sequence[Room]
    patience_s: float
    done: int = 0
    is_over: bool = False

    @property
    def job(self) -> QueuedJob:
        return self.lane.jobs[self.done]

    def take(self, room: Room) -> Assignment:
        job = self.job
        self.done += 1
        self.is_over = self.done == len(self.lane.jobs)
        return Assignment(job.id, room.worker.name, room.take(self.lane.need, self.num_gpus))

    def give_up(self) -> None:
        """Where there is no room on any worker, there is none for the jobs behind it in its lane either."""
        if not any(room.fits(self.lane.need, self.num_gpus) for room in self.rooms):
            self.is_over = True
            for room in self.rooms if self.num_gpus else ():
                room.keep_for(self.lane.need)
            self._gather()

    def _gather(self) -> None:
        """Smaller jobs must not for ever take what a large one waits for: the fittest worker keeps it."""
        need = self.lane.need
        is_large = self.num_gpus > 1 or need.cpus or need.memory
        if not is_large or self.done or self.lane.waited_s <= self.patience_s:
            return
        able = [room for room in self.rooms if could_hold(room.worker, need, self.num_gpus)]
        closest = max(able, key=lambda room: (len(room.gpus), room.slots), default=None)
        if closest is not None:
            closest.gather_for(need, self.num_gpus)


@dataclass
class _Claim:
    """What a lane claims of the workers that name its queue at this place of their lists."""

    progress: _Progress
    rank: int
    rooms: Sequence[Room]

    def key(self, usage: Mapping[str, int] | None) -> tuple[int, ...]:
        """Which claim goes first. It only ever grows while a plan is made."""
        job = self.progress.job
        active = usage[self.progress.lane.need.user] if usage is not None else 0
        return (-job.priority, self.rank, active, job.sequence)

    def room(self) -> Room | None:
        """The emptiest one that has room: jobs spread, and each gets more of its machine."""
        fitting = [room for room in self.rooms if room.fits(self.progress.lane.need, self.progress.num_gpus)]
        return max(fitting, key=lambda room: (len(room.gpus), room.slots), default=None)


def plan(view: View) -> list[Assignment]:
    """Assign queued jobs to workers with room, best first.

    On each worker a higher priority goes first, then the queue that the worker names first, then the user
    with fewer jobs assigned or running (unless the order is not to be fair), then who was submitted first.
    """
    usage = Counter(view.usage)
    in_order = usage if view.is_fair else None
    slots = sum(worker.free_slots for worker in view.workers if worker.accepting)
    heap = [(claim.key(in_order), number, claim) for number, claim in enumerate(_claims(view))]
    heapify(heap)
    made: list[Assignment] = []
    while heap and len(made) < slots:
        key, number, claim = heap[0]
        progress = claim.progress
        if progress.is_over:
            heappop(heap)
        elif (now := claim.key(in_order)) != key:  # others went on since: look again at its turn
            heapreplace(heap, (now, number, claim))
        elif room := claim.room():
            made.append(progress.take(room))
            usage[progress.lane.need.user] += 1
        else:
            progress.give_up()
            heappop(heap)
    return made


def _claims(view: View) -> Iterator[_Claim]:
    rooms, with_gpus = rooms_of(view.workers), queues_with_gpus(view.workers)
    for lane in view.lanes:
        queue = lane.need.queue
        if lane.jobs and queue in rooms and queue not in view.paused:
            serving = [room for there in rooms[queue].values() for room in there]
            progress = _Progress(lane, needed_gpus(lane.need, with_gpus), serving, view.patience_s)
            yield from (_Claim(progress, rank, there) for rank, there in rooms[queue].items())
